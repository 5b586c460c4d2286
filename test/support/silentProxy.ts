import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Between a client and a server, whose connections can go silent as they do when a host or a network vanishes. */
export async function silentProxy(target: URL): Promise<{
  readonly port: number;
  /** What is connected hears nothing more, and is not closed. @param isForGood whether new connections are silent too */
  silence(isForGood?: boolean): void;
  close(): Promise<void>;
}> {
  const open = new Set<Socket>();
  let isSilent = false;
  const proxy = createServer((client) => {
    if (isSilent) {
      open.add(client);
      return;
    }
    const server = connect(Number(target.port), target.hostname);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      open.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => open.delete(one));
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    port: (proxy.address() as AddressInfo).port,
    silence(isForGood = false) {
      isSilent = isForGood;
      for (const socket of open) {
        socket.unpipe();
        socket.removeAllListeners('data');
        socket.pause();
      }
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
