/** What is around the pages: the navigation, and the door for who is not signed in. */
import {
  ActionIcon,
  Anchor,
  AppShell,
  Burger,
  Button,
  Center,
  Group,
  Menu,
  NavLink,
  Paper,
  ScrollArea,
  SegmentedControl,
  Select,
  Stack,
  Text,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import { useDisclosure, useMediaQuery, useWindowEvent } from '@mantine/hooks';
import { useEffect, useRef, useState } from 'react';
import { Link, Navigate, Outlet, useLocation, useNavigate, useNavigation } from 'react-router';
import { signOut } from './account.ts';
import icon from './icon.svg';
import { Empty } from './parts/states.tsx';
import { PlaceProvider, useAccount, usePlace } from './workspace.tsx';

const WORK = [
  ['/tasks', 'Tasks', 'tasks:read'],
  ['/board', 'Board', 'tasks:read'],
  ['/projects', 'Projects', 'projects:read'],
  ['/trash', 'Trash', 'tasks:read'],
] as const;
const SETTINGS = [
  ['/settings/api-keys', 'API Keys', 'keys:read'],
  ['/settings/review', 'Least privilege', 'keys:read'],
  ['/settings/applications', 'Applications', 'keys:read'],
  ['/settings/alerts', 'Alerts', 'keys:read'],
  ['/settings/audit', 'Audit log', 'audit:read'],
  ['/settings/team', 'Team', 'users:read'],
  ['/settings/usage', 'Usage and limits', undefined],
  ['/settings/account', 'Your account', undefined],
] as const;

/** Where the navigation is closed until it is asked for: below the breakpoint `sm`. */
const NARROW = '(max-width: 47.99em)';

function Brand() {
  return (
    <Group gap={8} wrap="nowrap">
      <img src={icon} width={26} height={26} alt="" />
      <Text fw={700}>Taskgate</Text>
    </Group>
  );
}

/** Where one signs in or up. */
export function Door() {
  return (
    <Center component="main" mih="100vh" p="md">
      <Stack w="100%" maw={420} gap="lg">
        <Center>
          <Brand />
        </Center>
        <Paper className="panel" p="lg">
          <Outlet />
        </Paper>
        <Center>
          <ColorScheme />
        </Center>
      </Stack>
    </Center>
  );
}

function ColorScheme() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: true });
  const other = scheme === 'dark' ? 'light' : 'dark';
  return (
    <Button variant="subtle" size="compact-xs" color="gray" c="dimmed" onClick={() => setColorScheme(other)}>
      {other === 'dark' ? 'Dark' : 'Light'} colors
    </Button>
  );
}

/** For who is signed in, and in a workspace. */
export function Inside() {
  const { state } = useAccount();
  const { pathname, search } = useLocation();
  if (!state.person) {
    const isFirst = state.signUp === 'first' || state.signUp === 'adminKey';
    const next = pathname === '/' ? '' : `?next=${encodeURIComponent(pathname + search)}`;
    return <Navigate to={isFirst ? '/sign-up' : `/sign-in${next}`} replace />;
  }
  if (state.workspaces.length === 0) return <Nowhere email={state.person.email} />;
  return (
    <PlaceProvider person={state.person}>
      <Shell />
    </PlaceProvider>
  );
}

function Nowhere({ email }: { email: string }) {
  const { reload } = useAccount();
  return (
    <Center component="main" mih="100vh">
      <Empty
        title="You are in no workspace"
        action={
          <Group>
            <Button onClick={() => void reload()}>Refresh</Button>
            <Button variant="default" onClick={() => void signOut().then(reload)}>
              Sign out
            </Button>
          </Group>
        }
      >
        You are signed in as {email}. Ask somebody of a workspace to invite that address, and open the link that they
        give you.
      </Empty>
    </Center>
  );
}

function Shell() {
  const [opened, { toggle, close }] = useDisclosure();
  const { pathname } = useLocation();
  const { may } = usePlace();
  const isMoving = useNavigation().state === 'loading';
  // The pages of keys say more than that.
  const [, , scope] = [...WORK, ...SETTINGS].find(([to]) => pathname.startsWith(to)) ?? [];
  const saysItself = pathname.startsWith('/settings/api-keys');
  const refused = scope !== undefined && !saysItself && !may(scope) ? scope : undefined;
  const isNarrow = useMediaQuery(NARROW) ?? false;
  useWindowEvent('keydown', ({ key }) => {
    if (key === 'Escape') close();
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: closed when the page changes
  useEffect(close, [pathname]);
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 230, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      padding="lg"
    >
      <a className="skip" href="#page">
        Skip to the page
      </a>
      <AppShell.Header px="md">
        <Group h="100%" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger
              opened={opened}
              onClick={toggle}
              hiddenFrom="sm"
              size="sm"
              aria-label="Navigation"
              aria-expanded={opened}
              aria-controls="pages"
            />
            <Anchor component={Link} to="/" underline="never" c="inherit" aria-label="Taskgate, start">
              <Brand />
            </Anchor>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <EnvironmentSwitch />
            <PersonMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="sm" id="pages" aria-label="Pages" inert={isNarrow && !opened}>
        <WorkspaceSwitch />
        <AppShell.Section grow component={ScrollArea} mt="xs">
          <Links links={WORK} />
          <Text size="xs" c="dimmed" fw={650} mt="md" mb={4} px="sm">
            Settings
          </Text>
          <Links links={SETTINGS} />
          <Text size="xs" c="dimmed" fw={650} mt="md" mb={4} px="sm">
            API
          </Text>
          <NavLink component="a" href="/graphql" label="Playground" />
          <NavLink component="a" href="/docs" label="REST reference" />
        </AppShell.Section>
      </AppShell.Navbar>
      <AppShell.Main id="page" tabIndex={-1} aria-busy={isMoving}>
        {refused ? (
          <Empty title="Your role cannot see this page">It takes {refused}. Ask an admin of the workspace.</Empty>
        ) : (
          <Outlet />
        )}
      </AppShell.Main>
    </AppShell>
  );
}

function Links({ links }: { links: readonly (readonly [string, string, string | undefined])[] }) {
  const { pathname } = useLocation();
  const { may } = usePlace();
  return links
    .filter(([, , scope]) => scope === undefined || may(scope))
    .map(([to, label]) => {
      const isHere = pathname === to || pathname.startsWith(`${to}/`);
      return (
        <NavLink
          key={to}
          component={Link}
          to={to}
          label={label}
          active={isHere}
          variant="light"
          color="gray"
          aria-current={isHere ? 'page' : undefined}
        />
      );
    });
}

function WorkspaceSwitch() {
  const { state } = useAccount();
  const { workspace, setWorkspace } = usePlace();
  if (state.workspaces.length < 2) {
    return (
      <Text size="sm" fw={600} px="sm" truncate title={workspace.name}>
        {workspace.name}
      </Text>
    );
  }
  return (
    <Select
      aria-label="Workspace"
      size="xs"
      value={workspace.id}
      data={state.workspaces.map(({ id, name }) => ({ value: id, label: name }))}
      allowDeselect={false}
      onChange={(id) => id && setWorkspace(id)}
    />
  );
}

function EnvironmentSwitch() {
  const { environment, setEnvironment } = usePlace();
  const { pathname, state } = useLocation();
  const navigate = useNavigate();
  /** The visit to the list with which it is switched; one that was called off never comes. */
  const wanted = useRef<{ next: 'live' | 'test'; visit: string }>(undefined);
  const change = (next: 'live' | 'test') => {
    // What is shown is of the other environment: back to the list that it is in.
    const [, list] = /^(\/tasks|\/settings\/api-keys|\/board)\b/.exec(pathname) ?? [];
    if (!list || pathname === list || pathname === '/settings/api-keys/new') return setEnvironment(next);
    // Once the page is left: it may ask whether to leave what was written.
    wanted.current = { next, visit: String(performance.now()) };
    void navigate(list, { state: { visit: wanted.current.visit } });
  };
  useEffect(() => {
    if (!wanted.current || wanted.current.visit !== (state as { visit?: string } | null)?.visit) return;
    setEnvironment(wanted.current.next);
    wanted.current = undefined;
  }, [state, setEnvironment]);
  return (
    <SegmentedControl
      size="xs"
      aria-label="Environment"
      value={environment}
      onChange={(value) => change(value === 'test' ? 'test' : 'live')}
      data={[
        { value: 'live', label: 'Live' },
        { value: 'test', label: 'Test' },
      ]}
    />
  );
}

function PersonMenu() {
  const { person, workspace } = usePlace();
  const { reload } = useAccount();
  const [isLeaving, setLeaving] = useState(false);
  const leave = async () => {
    setLeaving(true);
    await signOut().catch(() => {});
    await reload();
  };
  const initials = person.name
    .split(/\s+/)
    .map((part) => part[0])
    .slice(0, 2)
    .join('')
    .toUpperCase();
  return (
    <Menu position="bottom-end" withinPortal={false}>
      <Menu.Target>
        <ActionIcon
          variant="default"
          radius="xl"
          size="lg"
          aria-label={`${initials}, account of ${person.name}`}
          loading={isLeaving}
        >
          <Text size="xs" fw={650}>
            {initials}
          </Text>
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown miw={220}>
        <Menu.Label>
          {person.email}, {workspace.role.toLowerCase()}
        </Menu.Label>
        <Menu.Item component={Link} to="/settings/account">
          Your account
        </Menu.Item>
        <SchemeItem />
        <Menu.Divider />
        <Menu.Item onClick={() => void leave()}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function SchemeItem() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: true });
  const other = scheme === 'dark' ? 'light' : 'dark';
  return <Menu.Item onClick={() => setColorScheme(other)}>{other === 'dark' ? 'Dark' : 'Light'} colors</Menu.Item>;
}
