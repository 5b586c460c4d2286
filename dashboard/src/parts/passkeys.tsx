import { Button, Card, Group, Stack, Text, TextInput, Title } from '@mantine/core';
import { useState } from 'react';
import { addPasskey, type Passkey, readPasskeys, removePasskey } from '../account.ts';
import { Confirm } from './confirm.tsx';
import { Failure, Refused } from './states.tsx';
import { When } from './time.tsx';
import { useLoaded } from './useLoaded.ts';

/** Keys of this person's devices, by which they sign in without the password. */
export function Passkeys() {
  const { data, error, load, change } = useLoaded(readPasskeys);
  const [failure, setFailure] = useState<string>();
  const [isAdding, setAdding] = useState(false);
  const [name, setName] = useState('');
  const [leaving, setLeaving] = useState<Passkey>();
  const [isRemoving, setRemoving] = useState(false);
  const add = async () => {
    setFailure(undefined);
    setAdding(true);
    try {
      await addPasskey(name.trim() || 'My device');
      setName('');
      load();
    } catch (cause) {
      const { name: kind, message } = cause as Error;
      const words = {
        NotAllowedError: 'No passkey was made. Try again.',
        InvalidStateError: 'This device has a passkey for your account already.',
      };
      setFailure(words[kind as keyof typeof words] ?? message);
    } finally {
      setAdding(false);
    }
  };
  const remove = async () => {
    if (!leaving) return;
    setRemoving(true);
    await change(() => removePasskey(leaving.id));
    setRemoving(false);
    setLeaving(undefined);
  };
  return (
    <section aria-label="Passkeys">
      <Title order={2} mb="xs">
        Passkeys
      </Title>
      <Text size="sm" c="dimmed" mb="xs">
        Sign in with your device: its PIN, your finger or your face. A passkey works at this address alone.
      </Text>
      {error && <Failure error={error} onRetry={load} />}
      <Stack gap="xs" maw={760}>
        {data?.passkeys.map((passkey) => (
          <Card key={passkey.id} className="panel" p="sm">
            <Group justify="space-between" wrap="nowrap">
              <Text size="sm">
                {passkey.name}, since <When at={passkey.createdAt} />
              </Text>
              <Button
                size="xs"
                variant="default"
                aria-label={`Remove the passkey ${passkey.name}`}
                onClick={() => setLeaving(passkey)}
              >
                Remove
              </Button>
            </Group>
          </Card>
        ))}
        <Refused>{failure}</Refused>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void add();
          }}
        >
          <Group align="flex-end" gap="xs">
            <TextInput
              label="Name of the device"
              placeholder="My device"
              value={name}
              maxLength={60}
              onChange={({ currentTarget }) => setName(currentTarget.value)}
            />
            <Button type="submit" loading={isAdding}>
              Add a passkey
            </Button>
          </Group>
        </form>
      </Stack>
      <Confirm
        title={`Remove the passkey ${leaving?.name ?? ''}?`}
        action="Remove"
        opened={leaving !== undefined}
        isRunning={isRemoving}
        onClose={() => setLeaving(undefined)}
        onConfirm={() => void remove()}
      >
        <Text size="sm">It signs nobody in any more, and your other sessions end.</Text>
      </Confirm>
    </section>
  );
}
