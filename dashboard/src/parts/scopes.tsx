/** Scopes: shown, and chosen by resource and action. */
import { Checkbox, Group, ScrollArea, Table, Text } from '@mantine/core';

export function Scopes({ scopes }: { scopes: readonly string[] }) {
  if (scopes.length === 0) return <Text size="sm">nothing</Text>;
  return (
    <Group gap={4}>
      {scopes.map((scope) => (
        <code className="scope" key={scope}>
          {scope}
        </code>
      ))}
    </Group>
  );
}

/** The grants that there are (src/scopes/scope.ts), in words. */
const RESOURCES = [
  ['tasks', 'Tasks, comments, labels, times', ['read', 'write', 'delete']],
  ['projects', 'Projects and their states', ['read', 'write', 'delete']],
  ['users', 'People of the workspace', ['read', 'write', 'delete']],
  ['keys', 'API keys', ['read', 'write', 'delete']],
  ['webhooks', 'Webhooks', ['read', 'write', 'delete']],
  ['audit', 'Audit log', ['read']],
] as const;
const ACTIONS = ['read', 'write', 'delete'] as const;

/** @param without scopes that cannot be chosen */
export function ScopePicker({
  value,
  onChange,
  without = [],
}: {
  value: readonly string[];
  onChange: (scopes: string[]) => void;
  without?: readonly string[];
}) {
  const isAdmin = value.includes('admin:*');
  const has = (resource: string, action: string) =>
    isAdmin || value.includes(`${resource}:*`) || value.includes(`${resource}:${action}`);
  const toggle = (resource: string, actions: readonly string[], action: string) => {
    const chosen = actions.filter((one) => (one === action ? !has(resource, one) : has(resource, one)));
    const others = value.filter((scope) => !scope.startsWith(`${resource}:`));
    const whole = chosen.length === actions.length && actions.length === ACTIONS.length;
    onChange([...others, ...(whole ? [`${resource}:*`] : chosen.map((one) => `${resource}:${one}`))]);
  };
  return (
    <div>
      <ScrollArea type="auto">
        <Table verticalSpacing={6} miw={420} aria-label="Scopes">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Resource</Table.Th>
              {ACTIONS.map((action) => (
                <Table.Th key={action}>{action}</Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {RESOURCES.map(([resource, about, all]) => {
              const actions = all.filter((action) => !without.includes(`${resource}:${action}`));
              return (
                <Table.Tr key={resource}>
                  <Table.Th scope="row" fw={400}>
                    {about}
                  </Table.Th>
                  {ACTIONS.map((action) => (
                    <Table.Td key={action}>
                      {(actions as readonly string[]).includes(action) && (
                        <Checkbox
                          aria-label={`${resource}:${action}`}
                          checked={has(resource, action)}
                          disabled={isAdmin}
                          onChange={() => toggle(resource, actions, action)}
                        />
                      )}
                    </Table.Td>
                  ))}
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </ScrollArea>
      {!without.includes('admin:*') && (
        <Checkbox
          mt="xs"
          label="Full access (admin:*)"
          description="Also manages keys, people and the workspace. Few programs need it."
          checked={isAdmin}
          onChange={({ currentTarget }) => onChange(currentTarget.checked ? ['admin:*'] : [])}
        />
      )}
    </div>
  );
}
