/** Loaded before a process: its clock is ten minutes behind. */
const now = Date.now.bind(Date);
Date.now = () => now() - 600_000;
