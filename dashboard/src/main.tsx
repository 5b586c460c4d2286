import './components.css';
import './main.css';
import { MantineProvider } from '@mantine/core';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { RouterProvider } from 'react-router/dom';
import { router } from './routes.tsx';
import { theme } from './theme.ts';
import { AccountProvider } from './workspace.tsx';

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <MantineProvider theme={theme} defaultColorScheme="auto">
        <AccountProvider>
          <RouterProvider router={router} />
        </AccountProvider>
      </MantineProvider>
    </StrictMode>,
  );
}
