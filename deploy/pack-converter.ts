/**
 * Puts the compiled classes of stack/converter/ into their plugin, as a jar.
 *   node deploy/pack-converter.ts CLASSES_DIRECTORY PLUGINS_DIRECTORY
 */
import { join } from 'node:path';
import { compiledJar, packClasses } from '../stack/compile.ts';
import { jarsFolder } from '../stack/unpack.ts';
import { converterPlugin, converterSources } from './plugins.ts';

const [classes, plugins] = process.argv.slice(2);
if (classes === undefined || plugins === undefined) {
  process.stderr.write('usage: node deploy/pack-converter.ts CLASSES_DIRECTORY PLUGINS_DIRECTORY\n');
  process.exitCode = 2;
} else {
  await packClasses(classes, join(plugins, converterPlugin, jarsFolder, compiledJar(converterSources)));
}
