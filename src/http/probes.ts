/** What the machines around ask: it takes no key, says nothing of the data, and is answered in the clear and when busy. */
export function isProbe(path = ''): boolean {
  return path.startsWith('/health/');
}
