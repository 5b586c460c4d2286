/** A project's board: its states as columns. Cards are dragged, or moved by the keyboard (Alt and an arrow) and by a menu. */
import { ActionIcon, Anchor, Group, Menu, Select, Text, Title, VisuallyHidden } from '@mantine/core';
import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useQuery } from 'urql';
import { graphql } from '../graphql.ts';
import { number } from '../parts/bars.tsx';
import { NewTask } from '../parts/newTask.tsx';
import { Page } from '../parts/page.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { words } from '../parts/tones.tsx';
import { type Card, type Column, type Target, useBoard } from '../parts/useBoard.ts';
import { usePlace } from '../workspace.tsx';

const PROJECTS = graphql(`
  query BoardProjects { projects(first: 200, orderBy: [{ field: NAME }]) { nodes { id name } } }
`);
export default function BoardPage() {
  const { may } = usePlace();
  const [search, setSearch] = useSearchParams();
  const [{ data: list, error: listError }, again] = useQuery({ query: PROJECTS });
  const projects = list?.projects?.nodes;
  const id = search.get('project') ?? projects?.[0]?.id;
  const { name, columns, error, moveError, reload, move } = useBoard(id);
  const [spoken, setSpoken] = useState('');
  const carry = async (card: Card, target: Target) => {
    const isMoved = await move(card, target);
    if (isMoved) setSpoken(`${card.identifier} is in ${columns?.find((one) => one.id === target.stateId)?.name}`);
    // The card is another element in its new column.
    document.getElementById(`card-${card.id}`)?.focus();
  };
  if (listError && !projects) {
    return (
      <Page title="Board">
        <Failure error={listError} onRetry={() => again({ requestPolicy: 'network-only' })} />
      </Page>
    );
  }
  if (!projects) return <Loading />;
  if (projects.length === 0)
    return <Empty title="No project yet">A board is a project's. Create one under Projects.</Empty>;
  const canWrite = may('tasks:write');
  return (
    <Page
      title={name ?? 'Board'}
      actions={
        <>
          <Select
            aria-label="Project"
            data={projects.map((one) => ({ value: one.id, label: one.name }))}
            value={id ?? null}
            allowDeselect={false}
            searchable
            onChange={(next) => next && setSearch({ project: next })}
          />
          {canWrite && <NewTask key={id} projectId={id} onDone={reload} />}
        </>
      }
    >
      {error && <Failure error={error} onRetry={reload} />}
      {moveError && <Failure title="The card was not moved" error={moveError} />}
      {!columns && !error && <Loading />}
      <VisuallyHidden role="status">{spoken}</VisuallyHidden>
      {columns?.length === 0 && <Empty title="The project has no states">Its tasks are in the list.</Empty>}
      {columns && columns.length > 0 && (
        <>
          {canWrite && (
            <Text size="xs" c="dimmed">
              Drag a card, or move the one in focus with Alt and an arrow key.
            </Text>
          )}
          <Columns columns={columns} canWrite={canWrite} onMove={carry} />
        </>
      )}
    </Page>
  );
}

function Columns({
  columns,
  canWrite,
  onMove,
}: {
  columns: readonly Column[];
  canWrite: boolean;
  onMove: (card: Card, target: Target) => Promise<void>;
}) {
  const [dragged, setDragged] = useState<Card>();
  const [over, setOver] = useState<string>();
  const drop = (target: Target) => {
    setOver(undefined);
    if (dragged && target.beforeId !== dragged.id) void onMove(dragged, target);
    setDragged(undefined);
  };
  const byKey = (event: React.KeyboardEvent, card: Card, at: number, index: number) => {
    if (!event.altKey || !canWrite) return;
    const target = targetOf(event.key, columns, at, index);
    if (!target) return;
    event.preventDefault();
    void onMove(card, target);
  };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard
    <section className="board" aria-label="Board" tabIndex={0}>
      {columns.map((column, at) => {
        const { cards } = column;
        return (
          // biome-ignore lint/a11y/noStaticElementInteractions: a place to drop; the keyboard has Alt and arrows
          <div
            key={column.id}
            className="column"
            data-over={over === column.id}
            onDragOver={(event) => {
              if (!dragged) return;
              event.preventDefault();
              setOver(column.id);
            }}
            onDrop={(event) => {
              event.preventDefault();
              drop({ stateId: column.id });
            }}
          >
            <Group justify="space-between" px={4} pb={8}>
              <Title order={2} fz="sm">
                {column.name}
              </Title>
              <Text size="xs" c="dimmed">
                {number(column.count)}
              </Text>
            </Group>
            <ul className="cards" aria-label={column.name}>
              {cards.map((card, index) => (
                <li
                  key={card.id}
                  className="card"
                  draggable={canWrite}
                  data-dragging={dragged?.id === card.id}
                  onDragStart={(event) => {
                    event.dataTransfer.effectAllowed = 'move';
                    setDragged(card);
                  }}
                  onDragEnd={() => {
                    setDragged(undefined);
                    setOver(undefined);
                  }}
                  onDrop={(event) => {
                    event.preventDefault();
                    event.stopPropagation();
                    drop({ stateId: column.id, beforeId: card.id });
                  }}
                >
                  <Group justify="space-between" wrap="nowrap" align="flex-start" gap={4}>
                    <Anchor
                      id={`card-${card.id}`}
                      component={Link}
                      to={`/tasks/${card.id}`}
                      size="sm"
                      c="inherit"
                      onKeyDown={(event) => byKey(event, card, at, index)}
                      style={{ overflowWrap: 'anywhere' }}
                    >
                      {card.title}
                    </Anchor>
                    {canWrite && <CardMenu card={card} column={column} columns={columns} onMove={onMove} />}
                  </Group>
                  <Text size="xs" c="dimmed">
                    {[
                      card.identifier,
                      card.priority && card.priority !== 'NONE' && words(card.priority),
                      card.assignee?.name,
                      ...card.tags,
                    ]
                      .filter(Boolean)
                      .join(' · ')}
                  </Text>
                </li>
              ))}
            </ul>
            {column.count > cards.length && (
              <Anchor component={Link} to="/tasks" size="xs" p={4}>
                and {number(column.count - cards.length)} more in the list
              </Anchor>
            )}
          </div>
        );
      })}
    </section>
  );
}

/** Where an arrow leads from a column and a place in it; undefined: nowhere. */
function targetOf(key: string, columns: readonly Column[], at: number, index: number): Target | undefined {
  const here = columns[at];
  const cards = here?.cards ?? [];
  if (!here) return undefined;
  if (key === 'ArrowUp' && index > 0) return { stateId: here.id, beforeId: cards[index - 1]?.id };
  if (key === 'ArrowDown' && index < cards.length - 1) return { stateId: here.id, beforeId: cards[index + 2]?.id };
  const beside = key === 'ArrowLeft' ? columns[at - 1] : key === 'ArrowRight' ? columns[at + 1] : undefined;
  return beside && { stateId: beside.id, beforeId: beside.cards[0]?.id };
}

function CardMenu({
  card,
  column,
  columns,
  onMove,
}: {
  card: Card;
  column: Column;
  columns: readonly Column[];
  onMove: (card: Card, target: Target) => Promise<void>;
}) {
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" c="dimmed" size="sm" aria-label={`Move ${card.identifier}`}>
          <span aria-hidden="true">⋯</span>
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Move to</Menu.Label>
        {columns
          .filter(({ id }) => id !== column.id)
          .map((other) => (
            <Menu.Item key={other.id} onClick={() => void onMove(card, { stateId: other.id })}>
              {other.name}
            </Menu.Item>
          ))}
      </Menu.Dropdown>
    </Menu>
  );
}
