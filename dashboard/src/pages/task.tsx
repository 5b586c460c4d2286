import {
  Alert,
  Anchor,
  Button,
  Card,
  Group,
  List,
  Select,
  SimpleGrid,
  Stack,
  TagsInput,
  Text,
  Textarea,
  TextInput,
  Title,
} from '@mantine/core';
import { useEffect, useState } from 'react';
import { Link, useParams } from 'react-router';
import { useQuery } from 'urql';
import { graphql, type ResultOf } from '../graphql.ts';
import { AskBeforeLeaving } from '../parts/leaving.tsx';
import { Page } from '../parts/page.tsx';
import { Empty, Failure, Loading, wordsOf } from '../parts/states.tsx';
import { PRIORITIES, type Priority, STATUSES, type Status, useNews, useTaskNews } from '../parts/tasks.ts';
import { dueDay, dueOn, When } from '../parts/time.tsx';
import { STATUS_TONES, Toned, words } from '../parts/tones.tsx';
import { useChange } from '../parts/useChange.ts';
import { usePlace } from '../workspace.tsx';

const TASK = graphql(`
  query Task($id: ID!) {
    task(id: $id) {
      id identifier title description status priority dueDate estimate tags createdAt updatedAt
      project { id name states(first: 50, orderBy: [{ field: ORDER }]) { nodes { id name category } } }
      state { id name }
      assignee { id name }
      parent { id identifier title }
      children(first: 100) { totalCount nodes { id identifier title status } }
      comments(first: 100, orderBy: [{ field: CREATED_AT }]) { totalCount nodes { id body createdAt editedAt deletedAt createdBy { name } } }
      activity(first: 30) { nodes { id action changes createdAt actorUserId actorKeyId } }
    }
    users(first: 100, orderBy: [{ field: NAME }]) { nodes { id name } }
    projects(first: 100, orderBy: [{ field: NAME }]) { nodes { id name } }
  }
`);
const UPDATE = graphql(`
  mutation UpdateTask($input: UpdateTaskInput!) { updateTask(input: $input) { task { id updatedAt } } }
`);
const DELETE = graphql(`
  mutation DeleteTask($input: DeleteTaskInput!) { deleteTask(input: $input) { deletedTaskId } }
`);
const RESTORE = graphql(`
  mutation RestoreTask($input: RestoreTaskInput!) { restoreTask(input: $input) { task { id } } }
`);
const COMMENT = graphql(`
  mutation Comment($input: CreateCommentInput!) { createComment(input: $input) { comment { id } } }
`);

const COMMENTED = graphql(`
  subscription CommentChanges($taskId: ID!) { commentChanged(taskId: $taskId) { action } }
`);

type Task = NonNullable<ResultOf<typeof TASK>['task']>;

export default function TaskPage() {
  const { id = '' } = useParams();
  const { may } = usePlace();
  const [{ data, error }, again] = useQuery({ query: TASK, variables: { id } });
  const [isDeleted, setDeleted] = useState(false);
  const [hasDirtyWords, setDirtyWords] = useState(false);
  const [hasDirtyComment, setDirtyComment] = useState(false);
  const reload = () => again({ requestPolicy: 'network-only' });
  useTaskNews(undefined, ({ taskId }) => {
    if (taskId === id && !isDeleted) reload();
  });
  useNews(COMMENTED, { taskId: id }, reload);
  const update = useChange(UPDATE);
  const remove = useChange(DELETE);
  const restore = useChange(RESTORE);
  const task = data?.task;
  if (isDeleted) {
    return (
      <Empty
        title="The task is in the trash"
        action={
          <Group>
            <Button
              loading={restore.isRunning}
              onClick={async () => {
                if (!(await restore.run({ input: { id } }))) return;
                setDeleted(false);
                reload();
              }}
            >
              Undo
            </Button>
            <Button variant="default" component={Link} to="/tasks">
              All tasks
            </Button>
          </Group>
        }
      >
        It stays there for 30 days.
        {restore.error && <Failure title="It was not restored" error={restore.error} />}
      </Empty>
    );
  }
  if (error && !task) {
    return (
      <>
        <Failure title="The task cannot be shown" error={error} onRetry={reload} />
        {!error.networkError && (
          <Text size="sm">
            It may have been deleted:{' '}
            <Anchor component={Link} to="/trash" underline="always">
              look into the trash
            </Anchor>
            .
          </Text>
        )}
      </>
    );
  }
  if (!task) return <Loading />;
  const canWrite = may('tasks:write');
  const failure = update.error ?? remove.error;
  /** Saved against the version that is shown: what somebody else changed meanwhile is not undone. */
  const save = async (changes: object) => {
    const done = await update.run({ input: { id, ...changes, expectedUpdatedAt: task.updatedAt } });
    if (done) reload();
  };
  return (
    <Page
      title={task.title}
      about={
        <Group gap="sm">
          <span>{task.identifier}</span>
          <Toned tone={STATUS_TONES[task.status] ?? 'calm'}>{task.state?.name ?? words(task.status)}</Toned>
          {task.project && <span>{task.project.name}</span>}
          {task.parent && (
            <Anchor component={Link} to={`/tasks/${task.parent.id}`} size="sm" underline="always">
              part of {task.parent.identifier}
            </Anchor>
          )}
        </Group>
      }
      actions={
        may('tasks:delete') && (
          <Button
            variant="outline"
            color="red"
            loading={remove.isRunning}
            onClick={async () => {
              if (await remove.run({ input: { id } })) setDeleted(true);
            }}
          >
            Delete
          </Button>
        )
      }
    >
      {failure && (
        <Alert
          color="red"
          variant="outline"
          title="It was not changed"
          role="alert"
          withCloseButton
          closeButtonLabel="Close"
          onClose={() => {
            update.clear();
            remove.clear();
            reload();
          }}
        >
          {failure && wordsOf(failure).message}
        </Alert>
      )}
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Card className="panel" p="md">
          {canWrite ? (
            <Words task={task} isSaving={update.isRunning} onDirty={setDirtyWords} onSave={save} />
          ) : (
            <Text style={{ whiteSpace: 'pre-wrap' }}>{task.description ?? 'No description.'}</Text>
          )}
        </Card>
        <Card className="panel" p="md">
          <Properties
            task={task}
            users={data?.users?.nodes ?? []}
            projects={data?.projects?.nodes ?? []}
            canWrite={canWrite}
            onSave={save}
          />
        </Card>
      </SimpleGrid>
      {task.children && task.children.totalCount > 0 && (
        <section aria-label="Sub-tasks">
          <Title order={2} mb="xs">
            Sub-tasks
          </Title>
          <List size="sm">
            {task.children.nodes.map((child) => (
              <List.Item key={child.id}>
                <Anchor component={Link} to={`/tasks/${child.id}`} size="sm">
                  {child.identifier} {child.title}
                </Anchor>
                , {words(child.status).toLowerCase()}
              </List.Item>
            ))}
          </List>
        </section>
      )}
      <Comments task={task} canWrite={canWrite} onDirty={setDirtyComment} onDone={reload} />
      <Activity task={task} users={data?.users?.nodes ?? []} />
      <AskBeforeLeaving when={!isDeleted && (hasDirtyWords || hasDirtyComment)} title="Leave without saving?">
        What you wrote is not saved.
      </AskBeforeLeaving>
    </Page>
  );
}

/** What is being written stays, whatever others change meanwhile; who wants theirs takes it. */
function Words({
  task,
  isSaving,
  onDirty,
  onSave,
}: {
  task: Task;
  isSaving: boolean;
  onDirty: (isDirty: boolean) => void;
  onSave: (changes: object) => Promise<void>;
}) {
  const theirs = { title: task.title, description: task.description ?? '' };
  const [read, setRead] = useState(theirs);
  const [draft, setDraft] = useState(theirs);
  const isDirty = draft.title !== read.title || draft.description !== read.description;
  const isChanged = theirs.title !== read.title || theirs.description !== read.description;
  // Both have changed it, each in their own way.
  const meets = (name: 'title' | 'description') => theirs[name] !== read[name] && draft[name] !== read[name];
  const take = () => {
    setRead(theirs);
    setDraft(theirs);
  };
  const isSaved = theirs.title === draft.title && theirs.description === draft.description;
  const isLost = isDirty && !isSaved;
  useEffect(() => onDirty(isLost), [isLost, onDirty]);
  if (isChanged && (!isDirty || isSaved)) take();
  else if (isChanged && !meets('title') && !meets('description')) {
    const merge = (name: 'title' | 'description') => (draft[name] === read[name] ? theirs[name] : draft[name]);
    setRead(theirs);
    setDraft({ title: merge('title'), description: merge('description') });
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const { title, description } = draft;
        // What was not written here stays as somebody else may have it.
        void onSave({
          ...(title !== read.title && { title }),
          ...(description !== read.description && { description: description === '' ? null : description }),
        });
      }}
    >
      <Stack>
        {isChanged && (
          <Alert color="yellow" variant="outline" title="Somebody else changed this meanwhile">
            <Stack gap="xs" align="flex-start">
              {meets('title') && <Text size="sm">Saving replaces their title: “{theirs.title}”</Text>}
              {meets('description') && (
                <Text size="sm" lineClamp={6} style={{ whiteSpace: 'pre-wrap' }}>
                  Saving replaces their description: “{theirs.description}”
                </Text>
              )}
              <Button size="xs" variant="default" onClick={take}>
                Discard mine and show theirs
              </Button>
            </Stack>
          </Alert>
        )}
        <TextInput
          label="Title"
          value={draft.title}
          maxLength={255}
          onChange={({ currentTarget }) => setDraft({ ...draft, title: currentTarget.value })}
        />
        <Textarea
          label="Description"
          autosize
          minRows={4}
          value={draft.description}
          onChange={({ currentTarget }) => setDraft({ ...draft, description: currentTarget.value })}
        />
        {isDirty && (
          <Group justify="flex-end">
            <Button variant="default" onClick={take}>
              Discard
            </Button>
            <Button type="submit" loading={isSaving}>
              Save
            </Button>
          </Group>
        )}
      </Stack>
    </form>
  );
}

function Properties({
  task,
  users,
  projects,
  canWrite,
  onSave,
}: {
  task: Task;
  users: readonly { id: string; name: string }[];
  projects: readonly { id: string; name: string }[];
  canWrite: boolean;
  onSave: (changes: object) => Promise<void>;
}) {
  const [tags, setTags] = useState<string[]>([...task.tags]);
  const fromServer = task.tags.join('\n');
  useEffect(() => setTags(fromServer === '' ? [] : fromServer.split('\n')), [fromServer]);
  const states = task.project?.states?.nodes ?? [];
  const due = task.dueDate ? dueDay(task.dueDate) : '';
  return (
    <Stack gap="sm">
      <Select
        label="Project"
        disabled={!canWrite || task.parent !== null}
        data={projects.map(({ id, name }) => ({ value: id, label: name }))}
        value={task.project?.id ?? null}
        clearable
        searchable
        clearButtonProps={{ 'aria-label': 'No project' }}
        onChange={(projectId) => void onSave({ projectId })}
      />
      {states.length > 0 ? (
        <Select
          label="State"
          disabled={!canWrite}
          data={states.map(({ id, name }) => ({ value: id, label: name }))}
          value={task.state?.id ?? null}
          allowDeselect={false}
          onChange={(stateId) => stateId && void onSave({ stateId })}
        />
      ) : (
        <Select
          label="Status"
          disabled={!canWrite}
          data={STATUSES.map((value) => ({ value, label: words(value) }))}
          value={task.status}
          allowDeselect={false}
          onChange={(status) => status && void onSave({ status: status as Status })}
        />
      )}
      <Select
        label="Priority"
        disabled={!canWrite}
        data={PRIORITIES.map((value) => ({ value, label: words(value) }))}
        value={task.priority}
        allowDeselect={false}
        onChange={(priority) => priority && void onSave({ priority: priority as Priority })}
      />
      <Select
        label="Assignee"
        disabled={!canWrite}
        data={users.map(({ id, name }) => ({ value: id, label: name }))}
        value={task.assignee?.id ?? null}
        clearable
        searchable
        clearButtonProps={{ 'aria-label': 'Nobody' }}
        onChange={(assigneeId) => void onSave({ assigneeId })}
      />
      <TextInput
        key={task.dueDate}
        label="Due"
        type="date"
        disabled={!canWrite}
        defaultValue={due}
        onBlur={({ currentTarget: { value } }) => {
          if (value !== due) void onSave({ dueDate: value === '' ? null : dueOn(value) });
        }}
      />
      <TagsInput
        label="Labels"
        disabled={!canWrite}
        value={tags}
        onChange={setTags}
        onBlur={() => {
          if (tags.join('\n') !== fromServer) void onSave({ tags });
        }}
      />
    </Stack>
  );
}

function Comments({
  task,
  canWrite,
  onDirty,
  onDone,
}: {
  task: Task;
  canWrite: boolean;
  onDirty: (isDirty: boolean) => void;
  onDone: () => void;
}) {
  const [body, setBody] = useState('');
  useEffect(() => onDirty(body.trim() !== ''), [body, onDirty]);
  const comment = useChange(COMMENT);
  const nodes = task.comments?.nodes ?? [];
  const send = async () => {
    if (!(await comment.run({ input: { taskId: task.id, body } }))) return;
    setBody('');
    onDone();
  };
  return (
    <section aria-label="Comments">
      <Title order={2} mb="xs">
        Comments
      </Title>
      <Stack gap="xs">
        {nodes.map(({ id, body: text, createdAt, deletedAt, createdBy }) => (
          <Card key={id} className="panel" p="sm">
            <Group gap="xs" mb={4}>
              <Text size="sm" fw={600}>
                {createdBy?.name ?? 'A key'}
              </Text>
              <When at={createdAt} />
            </Group>
            <Text
              size="sm"
              style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}
              c={deletedAt ? 'dimmed' : undefined}
            >
              {deletedAt ? 'deleted' : text}
            </Text>
          </Card>
        ))}
        {nodes.length === 0 && (
          <Text size="sm" c="dimmed">
            Nobody has said anything yet.
          </Text>
        )}
        {comment.error && <Failure title="It was not sent" error={comment.error} />}
        {canWrite && (
          <form
            onSubmit={(event) => {
              event.preventDefault();
              if (body.trim()) void send();
            }}
          >
            <Stack gap="xs">
              <Textarea
                label="Add a comment"
                autosize
                minRows={2}
                value={body}
                onChange={({ currentTarget }) => setBody(currentTarget.value)}
              />
              <Group justify="flex-end">
                <Button type="submit" variant="default" disabled={body.trim() === ''} loading={comment.isRunning}>
                  Comment
                </Button>
              </Group>
            </Stack>
          </form>
        )}
      </Stack>
    </section>
  );
}

function Activity({ task, users }: { task: Task; users: readonly { id: string; name: string }[] }) {
  const nodes = task.activity?.nodes ?? [];
  if (nodes.length === 0) return null;
  return (
    <section aria-label="Activity">
      <Title order={2} mb="xs">
        Activity
      </Title>
      <List size="sm" spacing={4}>
        {nodes.map(({ id, action, changes, createdAt, actorUserId }) => (
          <List.Item key={id}>
            {users.find((user) => user.id === actorUserId)?.name ?? 'A key'}:{' '}
            {words(action.replace('task.', '').replace('.', ' ')).toLowerCase()} {fieldsIn(changes)}{' '}
            <When at={createdAt} />
          </List.Item>
        ))}
      </List>
    </section>
  );
}

const FIELDS: Readonly<Record<string, string>> = {
  assigneeId: 'assignee',
  projectId: 'project',
  stateId: 'state',
  parentId: 'parent',
  dueDate: 'due date',
  startDate: 'start date',
  tags: 'labels',
};

/** The fields that a change names. */
function fieldsIn(changes: string | null): string {
  try {
    const names = Object.keys(JSON.parse(changes ?? '{}') as object).map((name) => FIELDS[name] ?? name);
    return names.length > 0 ? `(${names.join(', ')})` : '';
  } catch {
    return '';
  }
}
