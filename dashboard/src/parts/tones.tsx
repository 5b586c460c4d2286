import type { ReactNode } from 'react';

const COLORS = {
  good: '#1f8f4e',
  warn: '#c98a00',
  bad: '#c92a2a',
  calm: '#7a828c',
  busy: '#2f61e4',
  violet: '#7950c9',
} as const;
export type Tone = keyof typeof COLORS;

/** A state in a word, with a dot of its color: the word says it, the color helps. */
export function Toned({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span className="tone" style={{ '--tone': COLORS[tone] } as React.CSSProperties}>
      {children}
    </span>
  );
}

export const KEY_TONES: Readonly<Record<string, Tone>> = {
  ACTIVE: 'good',
  ROTATED: 'warn',
  EXPIRED: 'calm',
  REVOKED: 'bad',
};
export const RISK_TONES: Readonly<Record<string, Tone>> = { LOW: 'good', MEDIUM: 'warn', HIGH: 'bad' };
export const STATUS_TONES: Readonly<Record<string, Tone>> = {
  BACKLOG: 'calm',
  TRIAGE: 'violet',
  TODO: 'calm',
  IN_PROGRESS: 'busy',
  IN_REVIEW: 'warn',
  DONE: 'good',
  CANCELED: 'bad',
};

/** IN_PROGRESS -> In Progress, as a new project calls the state. */
export function words(constant: string): string {
  const text = constant === 'TODO' ? 'to_do' : constant.toLowerCase();
  return text
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join(' ');
}
