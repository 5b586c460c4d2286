import { Button, Group, Stack } from '@mantine/core';
import type { ReactNode } from 'react';
import { Dialog } from './dialog.tsx';
import { Failure } from './states.tsx';

/** Asks before something that cannot be undone. */
export function Confirm({
  title,
  children,
  action,
  opened,
  isRunning,
  isDisabled = false,
  error,
  onClose,
  onConfirm,
}: {
  title: string;
  children: ReactNode;
  /** What the button says: a verb. */
  action: string;
  opened: boolean;
  isRunning: boolean;
  /** There is nothing to confirm. */
  isDisabled?: boolean;
  error?: Error | undefined;
  onClose: () => void;
  onConfirm: () => void;
}) {
  return (
    <Dialog opened={opened} onClose={onClose} title={title}>
      <Stack>
        <div>{children}</div>
        {error && <Failure title="That could not be done" error={error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button color="red.9" loading={isRunning} disabled={isDisabled} onClick={onConfirm}>
            {action}
          </Button>
        </Group>
      </Stack>
    </Dialog>
  );
}
