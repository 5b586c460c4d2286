import { Button, CopyButton, Group } from '@mantine/core';

/** Text to copy whole, and the button that does it. */
interface CopyableProps {
  text: string;
  label: string;
  testId?: string;
  onCopy?: () => void;
}

export function Copyable({ text, label, testId, onCopy }: CopyableProps) {
  return (
    <Group align="flex-start" wrap="nowrap" className="panel" p="xs" gap="xs">
      <code className="secret grow" data-testid={testId}>
        {text}
      </code>
      <CopyButton value={text} timeout={3000}>
        {({ copied, copy }) => (
          <Button
            size="xs"
            variant={copied ? 'filled' : 'default'}
            onClick={() => {
              copy();
              onCopy?.();
            }}
            aria-live="polite"
          >
            {copied ? 'Copied' : label}
          </Button>
        )}
      </CopyButton>
    </Group>
  );
}
