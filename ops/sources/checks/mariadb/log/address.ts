/** A place in MariaDB's binary log. Files of one log are ordered by the number that their names end in. */
export type LogAddress = { readonly file: string; readonly position: number };

export function compareAddresses(left: LogAddress, right: LogAddress): number {
  const files = fileNumber(left.file) - fileNumber(right.file);
  return files === 0 ? left.position - right.position : files;
}

export function addressText({ file, position }: LogAddress): string {
  return `${file}:${position}`;
}

function fileNumber(file: string): number {
  return Number(file.slice(file.lastIndexOf('.') + 1));
}
