/** The datamodel as Prisma's generator wrote it; read once, for it is a text of tens of kilobytes. */
import { getDatamodel } from './generated/pothos.js';

export const DATAMODEL = getDatamodel();
export const MODELS = DATAMODEL.datamodel.models;
