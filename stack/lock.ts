/** The committed answer of the dependency resolution: what is fetched, from where, and what it must hash to. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ComponentKind, ComponentName } from './components.ts';
import type { Services } from './service-manifest.ts';

export type LockedArtifact = { path: string; sha256: string; sizeBytes: number };
export type LockedComponent = { kind: ComponentKind; artifacts: LockedArtifact[] };
export type ArtifactLock = { components: Record<ComponentName, LockedComponent> };

export function readArtifactLock(): ArtifactLock {
  return JSON.parse(readFileSync(new URL('./artifacts.lock.json', import.meta.url), 'utf8')) as ArtifactLock;
}

/** To be changed with the way `unpack.ts` lays a component out. */
const unpackedLayout = 'layout 2';

/**
 * Changes when any file of the component changes, so an old unpacked copy is never used for a new lock. `compiled`: what is
 * compiled into it, and by what.
 */
export function fingerprint(component: LockedComponent, services: Services = {}, compiled = ''): string {
  const parts = [unpackedLayout, ...component.artifacts.map((artifact) => artifact.sha256), JSON.stringify(services)];
  if (compiled !== '') parts.push(compiled);
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 12);
}
