/** Kaneo's projects. */
import { z } from 'zod';
import { text } from '../../../input.js';
import { type CorePage, PAGE, pageQuery } from '../../pages.js';
import { resource } from '../../resource.js';
import { route } from '../../route.js';
import { atLeastOne, boolean, type Change, title } from '../../shapes.js';
import { ALL, type CoreProject, KProject, ownWorkspace, PROJECT, showProject } from './shapes.js';

const description = text(0, 10_000).nullish();
const shortName = text(0, 100).nullish();
const projectBody = { name: title, description, icon: shortName, slug: shortName };

/** Kaneo has no way to say "none" but the empty text. */
function projectInput({ name, description, icon, slug }: Change<typeof projectBody>) {
  return { name, description, icon: icon === '' ? null : icon, slug: slug === '' ? null : slug };
}

const project = resource({
  ...{ dialect: 'Kaneo', type: 'Project', tag: 'Kaneo projects', path: '/api/project/{id}' },
  ...{ selection: PROJECT, show: showProject, answers: KProject },
});
export const projects = [
  route({
    method: 'get',
    path: '/api/project',
    summary: 'List the projects of the workspace, newest first',
    tag: 'Kaneo projects',
    query: z.object({
      workspaceId: z.string().optional(),
      includeArchived: boolean.optional(),
      ...pageQuery(ALL),
    }),
    operation: `query ListKaneoProjects($first: Int, $after: String, $offset: Int, $includeArchived: Boolean) {
      projects(first: $first, after: $after, offset: $offset, includeArchived: $includeArchived) {
        nodes { ${PROJECT} } ${PAGE}
      }
    }`,
    variables: (request) => {
      ownWorkspace(request.query.workspaceId, request);
      return { includeArchived: request.query.includeArchived === true };
    },
    status: 200,
    answer: ({ projects: { nodes } }: { projects: CorePage<CoreProject> }, request) =>
      nodes.map((project) => showProject(project, request)),
    answers: z.array(KProject),
    list: { page: ({ projects }) => projects },
    fields: { after: 'cursor' },
  }),
  project.create({
    path: '/api/project',
    summary: 'Create a project',
    body: z.object({ ...projectBody, workspaceId: z.string().optional() }).meta({ id: 'NewKaneoProject' }),
    variables: (request) => {
      ownWorkspace(request.body.workspaceId, request);
      return { input: projectInput(request.body) };
    },
  }),
  project.get('Get a project'),
  project.change({
    method: 'put',
    summary: 'Change what is given of a project',
    body: atLeastOne(projectBody),
    variables: ({ params, body }) => ({ input: { ...projectInput(body), ...params } }),
  }),
  ...(['archive', 'unarchive'] as const).map((verb) =>
    route({
      method: 'put',
      path: `/api/project/{id}/${verb}`,
      of: '/api/project/{id}',
      summary: verb === 'archive' ? 'Archive a project; its tasks stay as they are' : 'Bring a project back',
      tag: 'Kaneo projects',
      operation: `mutation ArchiveKaneoProject($id: ID!, $expectedUpdatedAt: DateTime) {
        archiveProject(
          input: { id: $id, archived: ${verb === 'archive'}, expectedUpdatedAt: $expectedUpdatedAt }
        ) { project { ${PROJECT} } }
      }`,
      status: 200,
      answer: ({ archiveProject: { project } }: { archiveProject: { project: CoreProject } }, request) =>
        showProject(project, request),
      answers: KProject,
    }),
  ),
  project.removeShown('Delete a project; its tasks stay. Answers it as it was'),
];
