/** Asks before what is on a page is lost: by following a link, going back, or closing it. */
import { Text } from '@mantine/core';
import { useBeforeUnload, useBlocker } from 'react-router';
import { Confirm } from './confirm.tsx';

/** @param when whether there is anything to lose */
export function AskBeforeLeaving({ when, title, children }: { when: boolean; title: string; children: string }) {
  useBeforeUnload((event) => {
    if (when) event.preventDefault();
  });
  const blocker = useBlocker(when);
  return (
    <Confirm
      title={title}
      action="Leave"
      opened={blocker.state === 'blocked'}
      isRunning={false}
      onClose={() => blocker.reset?.()}
      onConfirm={() => blocker.proceed?.()}
    >
      <Text size="sm">{children}</Text>
    </Confirm>
  );
}
