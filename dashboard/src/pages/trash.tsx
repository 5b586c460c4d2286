/** What was deleted, for 30 days, and bringing it back. */
import { Button, Card, Group, Stack, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';
import { graphql, type ResultOf } from '../graphql.ts';
import { Page } from '../parts/page.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { When } from '../parts/time.tsx';
import { useChange } from '../parts/useChange.ts';
import { usePlace } from '../workspace.tsx';

const TRASH = graphql(`
  query Trash {
    trash {
      tasks(first: 50) { totalCount nodes { id title deletedAt expiresAt } }
      projects(first: 50) { totalCount nodes { id title deletedAt expiresAt } }
      labels(first: 50) { totalCount nodes { id title deletedAt expiresAt } }
      comments(first: 50) { totalCount nodes { id title deletedAt expiresAt } }
    }
  }
`);
const TASK = graphql(`mutation BackTask($input: RestoreTaskInput!) { restoreTask(input: $input) { task { id } } }`);
const PROJECT = graphql(
  `mutation BackProject($input: RestoreProjectInput!) { restoreProject(input: $input) { project { id } } }`,
);
const LABEL = graphql(
  `mutation BackLabel($input: RestoreLabelInput!) { restoreLabel(input: $input) { label { id } } }`,
);
const COMMENT = graphql(
  `mutation BackComment($input: RestoreCommentInput!) { restoreComment(input: $input) { comment { id } } }`,
);

type Kind = 'tasks' | 'projects' | 'labels' | 'comments';
type Trash = NonNullable<ResultOf<typeof TRASH>['trash']>;

const KINDS: readonly (readonly [Kind, string, string])[] = [
  ['tasks', 'Tasks', 'tasks:write'],
  ['projects', 'Projects', 'projects:write'],
  ['labels', 'Labels', 'tasks:write'],
  ['comments', 'Comments', 'tasks:write'],
];

export default function TrashPage() {
  const { may } = usePlace();
  const [{ data, error }, again] = useQuery({ query: TRASH });
  const changes = {
    tasks: useChange(TASK),
    projects: useChange(PROJECT),
    labels: useChange(LABEL),
    comments: useChange(COMMENT),
  };
  const [running, setRunning] = useState<string>();
  const reload = () => again({ requestPolicy: 'network-only' });
  const restore = async (kind: Kind, id: string) => {
    setRunning(id);
    await changes[kind].run({ input: { id } });
    setRunning(undefined);
    reload();
  };
  const failure = KINDS.map(([kind]) => changes[kind].error).find(Boolean);
  const trash: Trash | null | undefined = data?.trash;
  const isEmpty = trash && KINDS.every(([kind]) => (trash[kind]?.totalCount ?? 0) === 0);
  return (
    <Page title="Trash" about="What was deleted stays here for 30 days.">
      {error && !trash && <Failure error={error} onRetry={reload} />}
      {failure && <Failure title="It was not restored" error={failure} />}
      {!trash && !error && <Loading />}
      {isEmpty && (
        <Empty title="The trash is empty">Deleted tasks, projects, labels and comments are found here.</Empty>
      )}
      {trash &&
        KINDS.map(([kind, title, scope]) => {
          const items = trash[kind];
          if (!items || items.nodes.length === 0) return null;
          return (
            <section key={kind} aria-label={title}>
              <Title order={2} mb="xs">
                {title}
              </Title>
              <Stack gap="xs">
                {items.nodes.map((item) => (
                  <Card key={item.id} className="panel" p="sm">
                    <Group justify="space-between" wrap="nowrap">
                      <div className="grow">
                        <Text size="sm" truncate>
                          {item.title}
                        </Text>
                        <Text size="xs" c="dimmed" component="div">
                          deleted <When at={item.deletedAt} />, gone for good <When at={item.expiresAt} />
                        </Text>
                      </div>
                      {may(scope) && (
                        <Button
                          size="xs"
                          variant="default"
                          aria-label={`Restore ${item.title}`}
                          loading={running === item.id}
                          onClick={() => void restore(kind, item.id)}
                        >
                          Restore
                        </Button>
                      )}
                    </Group>
                  </Card>
                ))}
              </Stack>
            </section>
          );
        })}
    </Page>
  );
}
