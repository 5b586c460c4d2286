import { Button, Group, Select, Stack, Textarea, TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useForm } from 'react-hook-form';
import { useQuery } from 'urql';
import { graphql } from '../graphql.ts';
import { Dialog } from './dialog.tsx';
import { fieldsOf, RefusedChange, said } from './states.tsx';
import { PRIORITIES, type Priority } from './tasks.ts';
import { dueOn } from './time.tsx';
import { words } from './tones.tsx';
import { useChange } from './useChange.ts';

const PROJECTS = graphql(`
  query NewTaskProjects { projects(first: 200, orderBy: [{ field: NAME }]) { nodes { id name } } }
`);
const CREATE = graphql(`
  mutation CreateTask($input: CreateTaskInput!) { createTask(input: $input) { task { id } } }
`);

export function NewTask({ projectId, onDone }: { projectId?: string | undefined; onDone: (id: string) => void }) {
  const [opened, setOpened] = useState(false);
  const [isDirty, setDirty] = useState(false);
  return (
    <>
      <Button onClick={() => setOpened(true)}>New task</Button>
      <Dialog opened={opened} onClose={() => setOpened(false)} keep={isDirty} title="New task">
        <NewTaskForm
          projectId={projectId}
          onDirty={setDirty}
          onDone={(id) => {
            setOpened(false);
            onDone(id);
          }}
        />
      </Dialog>
    </>
  );
}

function NewTaskForm({
  projectId,
  onDirty,
  onDone,
}: {
  projectId?: string | undefined;
  /** Whether there is anything to lose. */
  onDirty: (isDirty: boolean) => void;
  onDone: (id: string) => void;
}) {
  const [project, setProject] = useState<string | null>(projectId ?? null);
  const [priority, setPriority] = useState<Priority>('NONE');
  const [{ data }] = useQuery({ query: PROJECTS });
  const create = useChange(CREATE);
  const { register, handleSubmit, formState } = useForm({ defaultValues: { title: '', description: '', dueDate: '' } });
  const { isDirty } = formState;
  useEffect(() => onDirty(isDirty), [isDirty, onDirty]);
  useEffect(() => () => onDirty(false), [onDirty]);
  const fields = create.error ? fieldsOf(create.error) : {};
  const submit = handleSubmit(async ({ title, description, dueDate }) => {
    const done = await create.run({
      input: {
        ...{ title, priority },
        ...(description && { description }),
        ...(project && { projectId: project }),
        ...(dueDate && { dueDate: dueOn(dueDate) }),
      },
    });
    const id = done?.createTask?.task?.id;
    if (id) onDone(id);
  });
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        <RefusedChange
          title="The task was not created"
          error={create.error}
          fields={['title', 'description', 'dueDate']}
        />
        <TextInput label="Title" required data-autofocus error={said(fields['title'])} {...register('title')} />
        <Textarea
          label="Description"
          autosize
          minRows={2}
          error={said(fields['description'])}
          {...register('description')}
        />
        <Select
          label="Project"
          data={data?.projects?.nodes.map(({ id, name }) => ({ value: id, label: name })) ?? []}
          value={project}
          onChange={setProject}
          clearable
          searchable
          clearButtonProps={{ 'aria-label': 'No project' }}
        />
        <Group grow>
          <Select
            label="Priority"
            data={PRIORITIES.map((value) => ({ value, label: words(value) }))}
            value={priority}
            allowDeselect={false}
            onChange={(value) => setPriority((value ?? 'NONE') as Priority)}
          />
          <TextInput type="date" label="Due" error={said(fields['dueDate'])} {...register('dueDate')} />
        </Group>
        <Group justify="flex-end">
          <Button type="submit" loading={create.isRunning}>
            Create task
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
