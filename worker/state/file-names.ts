/** Names of the JSON files for people. The incumbent's files have the same names. */

export const marksFileName = 'persistence-bridge-hwm.json';
export const assignmentFileName = 'persistence-assignment.json';
