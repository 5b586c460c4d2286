/** People of the workspace, their roles, and invitations. */
import { Alert, Button, Card, Group, ScrollArea, Select, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { useState } from 'react';
import { useForm } from 'react-hook-form';
import { useQuery } from 'urql';
import type { Role } from '../account.ts';
import { graphql } from '../graphql.ts';
import { Confirm } from '../parts/confirm.tsx';
import { Copyable } from '../parts/copy.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Page } from '../parts/page.tsx';
import { Failure, fieldsOf, Loading, RefusedChange, said } from '../parts/states.tsx';
import { When } from '../parts/time.tsx';
import { words } from '../parts/tones.tsx';
import { useChange } from '../parts/useChange.ts';
import { usePlace } from '../workspace.tsx';

const TEAM = graphql(`
  query Team($after: String) {
    users(first: 100, after: $after, orderBy: [{ field: NAME }]) {
      totalCount
      pageInfo { hasNextPage endCursor }
      nodes { id name email role createdAt canSignIn }
    }
    viewer { userId }
  }
`);
const OPEN = graphql(`
  query Invitations {
    invitations(first: 50, filter: { acceptedAt: { eq: null }, revokedAt: { eq: null } }) {
      nodes { id email role createdAt expiresAt }
    }
  }
`);
const INVITE = graphql(`
  mutation Invite($input: InviteUserInput!) { inviteUser(input: $input) { token emailed invitation { id email role } } }
`);
const TAKE_BACK = graphql(`
  mutation TakeBack($input: RevokeInvitationInput!) { revokeInvitation(input: $input) { invitation { id revokedAt } } }
`);
const ROLE = graphql(`
  mutation ChangeRole($input: UpdateUserInput!) { updateUser(input: $input) { user { id role } } }
`);
const REMOVE = graphql(`
  mutation RemoveUser($input: DeleteUserInput!) { deleteUser(input: $input) { deletedUserId } }
`);

const ROLES: readonly (readonly [Role, string])[] = [
  ['OWNER', 'everything'],
  ['ADMIN', 'everything'],
  ['MANAGER', 'tasks, projects, people; sees keys and the audit log'],
  ['MEMBER', 'tasks'],
  ['VIEWER', 'reads'],
];

/** Those that somebody of a role may give; the server refuses the others. */
const rolesFor = (own: Role) =>
  own === 'OWNER' || own === 'ADMIN' ? ROLES : ROLES.filter(([role]) => role !== 'OWNER' && role !== 'ADMIN');

export default function TeamPage() {
  const { may, environment, workspace } = usePlace();
  const canWrite = may('users:write') && environment === 'live';
  const roles = rolesFor(workspace.role);
  const [{ data, error }, again] = useQuery({ query: TEAM, variables: { after: null } });
  const [{ data: open }, againOpen] = useQuery({ query: OPEN, pause: !canWrite });
  const role = useChange(ROLE);
  const back = useChange(TAKE_BACK);
  const [leaving, setLeaving] = useState<{ id: string; name: string }>();
  const remove = useChange(REMOVE);
  const reload = () => {
    again({ requestPolicy: 'network-only' });
    if (canWrite) againOpen({ requestPolicy: 'network-only' });
  };
  const waiting = open?.invitations?.nodes.filter(({ expiresAt }) => new Date(expiresAt) > new Date()) ?? [];
  return (
    <Page
      title="Team"
      about="A role is what somebody may do here, and what keys that act as them may do."
      actions={canWrite && <Invite onDone={reload} />}
    >
      {environment === 'test' && (
        <Alert color="gray" variant="outline">
          These are the users of the sandbox. People are invited in the live environment, whose roles hold here too.
        </Alert>
      )}
      {error && !data && <Failure error={error} onRetry={reload} />}
      {(role.error ?? back.error) && <Failure title="It was not changed" error={(role.error ?? back.error) as Error} />}
      {!data && !error && <Loading />}
      {data?.users && (
        <ScrollArea type="auto" className="panel" tabIndex={0} role="region" aria-label="People">
          <Table miw={720} verticalSpacing="xs">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Name</Table.Th>
                <Table.Th>Email</Table.Th>
                <Table.Th>Role</Table.Th>
                <Table.Th>Can sign in</Table.Th>
                <Table.Th>Joined</Table.Th>
                <Table.Th>
                  <span className="mantine-visually-hidden">Actions</span>
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.users.nodes.map((user) => (
                <Table.Tr key={user.id}>
                  <Table.Td>
                    {user.name}
                    {user.id === data.viewer.userId && ' (you)'}
                  </Table.Td>
                  <Table.Td>{user.email}</Table.Td>
                  <Table.Td>
                    {canWrite && roles.some(([value]) => value === user.role) ? (
                      <Select
                        size="xs"
                        w={130}
                        aria-label={`Role of ${user.name}`}
                        data={roles.map(([value]) => ({ value, label: words(value) }))}
                        value={user.role}
                        allowDeselect={false}
                        onChange={async (value) => {
                          if (!value || value === user.role) return;
                          await role.run({ input: { id: user.id, role: value as Role } });
                          reload();
                        }}
                      />
                    ) : (
                      words(user.role)
                    )}
                  </Table.Td>
                  <Table.Td>{user.canSignIn ? 'yes' : 'no'}</Table.Td>
                  <Table.Td>
                    <When at={user.createdAt} />
                  </Table.Td>
                  <Table.Td>
                    {may('users:delete') && user.id !== data.viewer.userId && (
                      <Button
                        size="compact-xs"
                        variant="subtle"
                        color="gray"
                        c="dimmed"
                        aria-label={`Remove ${user.name}`}
                        onClick={() => setLeaving(user)}
                      >
                        Remove
                      </Button>
                    )}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </ScrollArea>
      )}
      {data?.users?.pageInfo.hasNextPage && (
        <Text size="sm" c="dimmed">
          The first 100 of {data.users.totalCount} are shown.
        </Text>
      )}
      {waiting.length > 0 && (
        <section aria-label="Open invitations">
          <Title order={2} mb="xs">
            Open invitations
          </Title>
          <Stack gap="xs">
            {waiting.map((invitation) => (
              <Card key={invitation.id} className="panel" p="sm">
                <Group justify="space-between">
                  <Text size="sm">
                    {invitation.email} as {invitation.role.toLowerCase()}, ends <When at={invitation.expiresAt} />
                  </Text>
                  <Button
                    size="xs"
                    variant="default"
                    aria-label={`Revoke the invitation of ${invitation.email}`}
                    onClick={async () => {
                      if (await back.run({ input: { id: invitation.id } })) reload();
                    }}
                  >
                    Revoke
                  </Button>
                </Group>
              </Card>
            ))}
          </Stack>
        </section>
      )}
      <Confirm
        title={`Remove ${leaving?.name ?? ''}?`}
        action="Remove"
        opened={leaving !== undefined}
        isRunning={remove.isRunning}
        error={remove.error}
        onClose={() => setLeaving(undefined)}
        onConfirm={async () => {
          if (!leaving || !(await remove.run({ input: { id: leaving.id } }))) return;
          setLeaving(undefined);
          reload();
        }}
      >
        <Text size="sm">
          They cannot sign in here any more, at once, and keys that act as them end. Their tasks stay, unassigned; other
          keys that they made stay too.
        </Text>
      </Confirm>
    </Page>
  );
}

function Invite({ onDone }: { onDone: () => void }) {
  const { workspace } = usePlace();
  const roles = rolesFor(workspace.role);
  const [opened, setOpened] = useState(false);
  const [role, setRole] = useState<Role>('MEMBER');
  const [link, setLink] = useState<{ email: string; address: string; emailed: boolean }>();
  const invite = useChange(INVITE);
  const { register, handleSubmit, reset } = useForm({ defaultValues: { email: '' } });
  const fields = invite.error ? fieldsOf(invite.error) : {};
  const submit = handleSubmit(async ({ email }) => {
    const made = (await invite.run({ input: { email, role } }))?.inviteUser;
    if (!made) return;
    setLink({
      emailed: made.emailed,
      email: made.invitation?.email ?? email,
      address: `${window.location.origin}/invitation#${made.token}`,
    });
    onDone();
  });
  const close = () => {
    setOpened(false);
    setLink(undefined);
    invite.clear();
    reset();
  };
  return (
    <>
      <Button onClick={() => setOpened(true)}>Invite</Button>
      <Dialog
        opened={opened}
        onClose={close}
        title={`Invite somebody to ${workspace.name}`}
        size="lg"
        keep={Boolean(link)}
      >
        {link ? (
          <Stack>
            <Text size="sm">
              {link.emailed
                ? `An e-mail is on its way to ${link.email}. Or give them this link.`
                : `Give this link to ${link.email}.`}{' '}
              It works once, for a week, and for that email alone; it is shown this once.
            </Text>
            <Copyable text={link.address} label="Copy the link" testId="invitation-link" />
            <Group justify="flex-end">
              <Button onClick={close}>Done</Button>
            </Group>
          </Stack>
        ) : (
          <form onSubmit={submit} noValidate>
            <Stack>
              <RefusedChange title="The invitation was not created" error={invite.error} fields={['email', 'role']} />
              <TextInput
                label="Email"
                type="email"
                data-autofocus
                error={said(fields['email'])}
                {...register('email')}
              />
              <Select
                label="Role"
                error={said(fields['role'])}
                data={roles.map(([value, what]) => ({ value, label: `${words(value)}: ${what}` }))}
                value={role}
                allowDeselect={false}
                onChange={(value) => setRole((value ?? 'MEMBER') as Role)}
              />
              <Group justify="flex-end">
                <Button type="submit" loading={invite.isRunning}>
                  Create link
                </Button>
              </Group>
            </Stack>
          </form>
        )}
      </Dialog>
    </>
  );
}
