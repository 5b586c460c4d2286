import {
  Anchor,
  Button,
  Card,
  Group,
  Progress,
  SimpleGrid,
  Stack,
  Switch,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useState } from 'react';
import { useForm } from 'react-hook-form';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { graphql } from '../graphql.ts';
import { number } from '../parts/bars.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Page } from '../parts/page.tsx';
import { Empty, Failure, fieldsOf, Loading, RefusedChange, said } from '../parts/states.tsx';
import { When } from '../parts/time.tsx';
import { useChange } from '../parts/useChange.ts';
import { usePlace } from '../workspace.tsx';

const PROJECTS = graphql(`
  query Projects($includeArchived: Boolean!, $after: String) {
    projects(first: 60, after: $after, includeArchived: $includeArchived, orderBy: [{ field: NAME }]) {
      totalCount
      pageInfo { hasNextPage endCursor }
      nodes { id name key description archivedAt updatedAt }
    }
    all: taskCounts(groupBy: [PROJECT]) { counts { id count } }
    done: taskCounts(groupBy: [PROJECT], filter: { status: { eq: DONE } }) { counts { id count } }
  }
`);
const CREATE = graphql(`
  mutation CreateProject($input: CreateProjectInput!) { createProject(input: $input) { project { id name } } }
`);
const ARCHIVE = graphql(`
  mutation ArchiveProject($input: ArchiveProjectInput!) { archiveProject(input: $input) { project { id archivedAt } } }
`);

export default function ProjectsPage() {
  const { may } = usePlace();
  const [includeArchived, setIncludeArchived] = useState(false);
  const [{ data, error }, again] = useQuery({ query: PROJECTS, variables: { includeArchived, after: null } });
  const archive = useChange(ARCHIVE);
  const [ending, setEnding] = useState<{ id: string; name: string }>();
  const reload = () => again({ requestPolicy: 'network-only' });
  const projects = data?.projects;
  return (
    <Page title="Projects" actions={may('projects:write') && <NewProject onDone={reload} />}>
      <Switch
        label="Show archived"
        checked={includeArchived}
        onChange={({ currentTarget }) => setIncludeArchived(currentTarget.checked)}
      />
      {error && !projects && <Failure error={error} onRetry={reload} />}
      {!projects && !error && <Loading />}
      {projects?.nodes.length === 0 && (
        <Empty title="No projects yet">A project has tasks, states of its own and a board.</Empty>
      )}
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        {projects?.nodes.map((project) => {
          const all = countOf(data?.all, project.id);
          const done = countOf(data?.done, project.id);
          return (
            <Card key={project.id} className="panel" p="md">
              <Group justify="space-between" wrap="nowrap">
                <Anchor component={Link} to={`/board?project=${project.id}`} fw={600} truncate>
                  {project.name}
                </Anchor>
                {project.key && <code style={{ fontSize: 12 }}>{project.key}</code>}
              </Group>
              {project.description && (
                <Text size="sm" c="dimmed" lineClamp={2} mt={4}>
                  {project.description}
                </Text>
              )}
              <Progress
                mt="sm"
                size="sm"
                color="brand.7"
                value={all === 0 ? 0 : (done / all) * 100}
                aria-label={`${done} of ${all} tasks are done`}
              />
              <Group justify="space-between" mt={6}>
                <Text size="xs" c="dimmed">
                  {number(done)} of {number(all)} done
                  {project.archivedAt && ', archived'}
                </Text>
                <Group gap="xs">
                  <Anchor
                    component={Link}
                    to={`/tasks?project=${project.id}`}
                    size="xs"
                    aria-label={`Tasks of ${project.name}`}
                  >
                    Tasks
                  </Anchor>
                  {may('projects:write') && !project.archivedAt && (
                    <Button
                      variant="subtle"
                      color="gray"
                      c="dimmed"
                      size="compact-xs"
                      aria-label={`Archive ${project.name}`}
                      onClick={() => setEnding(project)}
                    >
                      Archive
                    </Button>
                  )}
                  {may('projects:write') && project.archivedAt && (
                    <Button
                      variant="subtle"
                      color="gray"
                      c="dimmed"
                      size="compact-xs"
                      aria-label={`Bring ${project.name} back`}
                      onClick={async () => {
                        if (await archive.run({ input: { id: project.id, archived: false } })) reload();
                      }}
                    >
                      Bring back
                    </Button>
                  )}
                </Group>
              </Group>
              <Text size="xs" c="dimmed">
                Changed <When at={project.updatedAt} />
              </Text>
            </Card>
          );
        })}
      </SimpleGrid>
      <Confirm
        title={`Archive ${ending?.name ?? ''}?`}
        action="Archive"
        opened={ending !== undefined}
        isRunning={archive.isRunning}
        error={archive.error}
        onClose={() => setEnding(undefined)}
        onConfirm={async () => {
          if (!ending || !(await archive.run({ input: { id: ending.id } }))) return;
          setEnding(undefined);
          reload();
        }}
      >
        <Text size="sm">It takes no new tasks then, and is shown with the archived projects. Its tasks stay.</Text>
      </Confirm>
      {projects?.pageInfo.hasNextPage && (
        <Text size="sm" c="dimmed">
          The first 60 of {number(projects.totalCount)} are shown.
        </Text>
      )}
    </Page>
  );
}

/** Of the hundred with the most tasks; the others have fewer than these, and show none. */
function countOf(
  grouped: readonly { counts: readonly { id: string | null; count: number }[] }[] | null | undefined,
  id: string,
): number {
  return grouped?.[0]?.counts.find((one) => one.id === id)?.count ?? 0;
}

function NewProject({ onDone }: { onDone: () => void }) {
  const [opened, setOpened] = useState(false);
  const create = useChange(CREATE);
  const { register, handleSubmit, reset } = useForm({ defaultValues: { name: '', key: '', description: '' } });
  const fields = create.error ? fieldsOf(create.error) : {};
  const submit = handleSubmit(async ({ name, key, description }) => {
    const input = { name, ...(key && { key }), ...(description && { description }) };
    if (!(await create.run({ input }))) return;
    setOpened(false);
    reset();
    onDone();
  });
  return (
    <>
      <Button onClick={() => setOpened(true)}>New project</Button>
      <Dialog opened={opened} onClose={() => setOpened(false)} title="New project">
        <form onSubmit={submit} noValidate>
          <Stack>
            <RefusedChange
              title="The project was not created"
              error={create.error}
              fields={['name', 'key', 'description']}
            />
            <TextInput label="Name" required data-autofocus error={said(fields['name'])} {...register('name')} />
            <TextInput
              label="Key"
              description="What its tasks are called by: BRD of BRD-12. Empty: made of the name"
              error={said(fields['key'])}
              {...register('key')}
            />
            <Textarea label="Description" error={said(fields['description'])} {...register('description')} />
            <Group justify="flex-end">
              <Button type="submit" loading={create.isRunning}>
                Create project
              </Button>
            </Group>
          </Stack>
        </form>
      </Dialog>
    </>
  );
}
