import { Text } from '@mantine/core';

const NUMBER = new Intl.NumberFormat('en');
export const number = (value: number): string => NUMBER.format(value);

/** 1 key, 2 keys */
export const counted = (count: number, what: string): string => `${number(count)} ${what}${count === 1 ? '' : 's'}`;

/** Counts by name, the longest bar the largest. */
export function Bars({
  counts,
  none,
  most = 8,
}: {
  counts: readonly { name: string; count: number }[];
  none: string;
  most?: number;
}) {
  if (counts.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {none}
      </Text>
    );
  }
  const largest = Math.max(...counts.map(({ count }) => count));
  return (
    <ul className="bars">
      {counts.slice(0, most).map(({ name, count }) => (
        <li key={name} className="bar" style={{ '--share': `${(count / largest) * 100}%` } as React.CSSProperties}>
          <span style={{ overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' }} title={name}>
            {name}
          </span>
          <span>{number(count)}</span>
        </li>
      ))}
    </ul>
  );
}
