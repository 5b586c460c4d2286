import { createTheme, type MantineColorsTuple } from '@mantine/core';

/** Shades that text of white, and on white, has a contrast of 4.5 with (WCAG 2.2, 1.4.3). */
const brand: MantineColorsTuple = [
  '#eef3ff',
  '#dbe5fe',
  '#b6c9fb',
  '#8dabf8',
  '#6b90f5',
  '#4a76ee',
  '#2f61e4',
  '#1b4fd8',
  '#1644bb',
  '#10348f',
];

export const theme = createTheme({
  primaryColor: 'brand',
  primaryShade: { light: 7, dark: 7 },
  colors: { brand },
  autoContrast: true,
  fontFamily: 'Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace',
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    // The library keeps the button that shows a password from the keyboard.
    PasswordInput: {
      defaultProps: {
        visibilityToggleButtonProps: { tabIndex: 0, 'aria-hidden': false, 'aria-label': 'Show what is typed' },
      },
    },
  },
  headings: {
    fontWeight: '650',
    sizes: { h1: { fontSize: '1.5rem' }, h2: { fontSize: '1.15rem' }, h3: { fontSize: '1rem' } },
  },
});
