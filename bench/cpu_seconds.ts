/** Time that processes have spent on processors. */

/** Clock ticks per second in `/proc/PID/stat`: a constant of Linux towards its users. */
const TICKS_PER_SECOND = 100;

/** Time of a process on processors; undefined where Linux's `/proc` is missing. */
export async function cpuSecondsOf(pid: number): Promise<number | undefined> {
  const { success, stdout } = await new Deno.Command("cat", {
    args: [`/proc/${pid}/stat`],
    stderr: "null",
  }).output();
  if (!success) return undefined;
  // the command's name, in parentheses, may hold spaces; user and system time are fields 14 and 15
  const fields = new TextDecoder().decode(stdout).replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Time of a process and its children on processors. */
export async function familyCpuSeconds(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "pid=", "--ppid", `${pid}`] })
    .output();
  const children = new TextDecoder().decode(stdout).split("\n").map(Number).filter(Boolean);
  const times = await Promise.all([pid, ...children].map(cpuSecondsOf));
  return times.reduce<number>((sum, time) => sum + (time ?? 0), 0);
}
