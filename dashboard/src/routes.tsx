/** The addresses of the dashboard. Each page is loaded when it is gone to. */
import { useEffect, useState } from 'react';
import { createBrowserRouter, Navigate, useRouteError } from 'react-router';
import { Empty, Failure, Loading } from './parts/states.tsx';
import { Door, Inside } from './shell.tsx';

/** A page that is a file of its own. */
const page = (load: () => Promise<{ default: React.ComponentType }>) => ({
  lazy: async () => ({ Component: (await load()).default }),
});

/** How browsers say that they could not load a page's file. */
const NOT_LOADED = /dynamically imported module|module script failed/i;
const NO_ANSWER = new Error('The server does not answer. Try again in a moment.');
const OTHER_VERSION = new Error('The server has another version of this page. Try again to load it.');

const isServerThere = () =>
  fetch('/health/live').then(
    ({ ok }) => ok,
    () => false,
  );

function Broken() {
  const error = useRouteError() as Error;
  const isNotLoaded = NOT_LOADED.test(error.message);
  const [isThere, setThere] = useState(false);
  useEffect(() => {
    if (isNotLoaded) void isServerThere().then(setThere);
  }, [isNotLoaded]);
  const retry = async () => {
    // Reloading while the server is away would leave nothing of the page.
    if (await isServerThere()) window.location.reload();
    else setThere(false);
  };
  return (
    <Failure
      title="This page could not be shown"
      error={isNotLoaded ? (isThere ? OTHER_VERSION : NO_ANSWER) : error}
      onRetry={() => void retry()}
    />
  );
}

const NotHere = () => <Empty title="There is no such page">Go back, or choose one in the navigation.</Empty>;

export const router = createBrowserRouter([
  {
    Component: Door,
    HydrateFallback: Loading,
    ErrorBoundary: Broken,
    children: [
      { path: '/sign-in', ...page(() => import('./pages/signIn.tsx')) },
      { path: '/sign-up', ...page(() => import('./pages/signUp.tsx')) },
      { path: '/oauth/authorize', ...page(() => import('./pages/authorize.tsx')) },
      { path: '/invitation', ...page(() => import('./pages/invitation.tsx')) },
    ],
  },
  {
    Component: Inside,
    HydrateFallback: Loading,
    ErrorBoundary: Broken,
    children: [
      // What fails is shown within what is around it.
      { ErrorBoundary: Broken, children: inside() },
    ],
  },
]);

function inside() {
  return [
    { path: '/', ...page(() => import('./pages/home.tsx')) },
    { path: '/tasks', ...page(() => import('./pages/tasks.tsx')) },
    { path: '/tasks/:id', ...page(() => import('./pages/task.tsx')) },
    { path: '/board', ...page(() => import('./pages/board.tsx')) },
    { path: '/trash', ...page(() => import('./pages/trash.tsx')) },
    { path: '/projects', ...page(() => import('./pages/projects.tsx')) },
    { path: '/settings', element: <Navigate to="/settings/api-keys" replace /> },
    { path: '/settings/api-keys', ...page(() => import('./pages/keys.tsx')) },
    // Where documents of other systems send their users.
    { path: '/settings/developer', ...page(() => import('./pages/keys.tsx')) },
    { path: '/settings/account', ...page(() => import('./pages/account.tsx')) },
    { path: '/settings/api-keys/new', ...page(() => import('./pages/newKey.tsx')) },
    { path: '/settings/api-keys/:id', ...page(() => import('./pages/key.tsx')) },
    { path: '/settings/review', ...page(() => import('./pages/review.tsx')) },
    { path: '/settings/alerts', ...page(() => import('./pages/alerts.tsx')) },
    { path: '/settings/audit', ...page(() => import('./pages/audit.tsx')) },
    { path: '/settings/team', ...page(() => import('./pages/team.tsx')) },
    { path: '/settings/applications', ...page(() => import('./pages/apps.tsx')) },
    { path: '/settings/usage', ...page(() => import('./pages/usage.tsx')) },
    { path: '*', Component: NotHere },
  ];
}
