/** Names of the files for people, which are also those of the incumbent's files. */

export const marksFileName = 'persistence-bridge-hwm.json';
export const assignmentFileName = 'persistence-assignment.json';
