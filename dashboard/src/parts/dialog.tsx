import { Modal } from '@mantine/core';
import type { ReactNode } from 'react';

/** @param keep whether it holds what would be lost, and closes by its buttons alone */
export function Dialog({
  title,
  opened,
  onClose,
  keep = false,
  size = 'md',
  children,
}: {
  title: string;
  opened: boolean;
  onClose: () => void;
  keep?: boolean;
  size?: 'md' | 'lg';
  children: ReactNode;
}) {
  return (
    <Modal
      {...{ title, opened, onClose, size }}
      centered
      closeOnClickOutside={!keep}
      closeOnEscape={!keep}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {children}
    </Modal>
  );
}
