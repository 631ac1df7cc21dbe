/** The committed answer of the dependency resolution: what is fetched, from where, and what it must hash to. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ComponentKind, ComponentName } from './components.ts';

export type LockedArtifact = { path: string; sha256: string; sizeBytes: number };
export type LockedComponent = { kind: ComponentKind; artifacts: LockedArtifact[] };
export type ArtifactLock = { components: Record<ComponentName, LockedComponent> };

export function readArtifactLock(): ArtifactLock {
  return JSON.parse(readFileSync(new URL('./artifacts.lock.json', import.meta.url), 'utf8')) as ArtifactLock;
}

/** Changes when any file of the component changes, so an old unpacked copy is never used for a new lock. */
export function fingerprint(component: LockedComponent): string {
  const hashes = component.artifacts.map((artifact) => artifact.sha256).join('\n');
  return createHash('sha256').update(hashes).digest('hex').slice(0, 12);
}
