#include "base/telemetry/metrics_process.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void process_write_one(struct buf *out, const char *name, const char *type, const char *help, double value)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name, value);
}

static void process_write_memory(struct buf *out)
{
	unsigned long long total, resident;
	FILE *statm = fopen("/proc/self/statm", "re");

	if (!statm)
		return;
	if (fscanf(statm, "%llu %llu", &total, &resident) == 2)
		process_write_one(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
		                  (double)resident * (double)sysconf(_SC_PAGESIZE));
	fclose(statm);
}

static void process_write_cpu(struct buf *out)
{
	struct timespec used;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0) {
		buf_append_text(out, "# HELP process_cpu_seconds_total User and system CPU time in seconds.\n"
		                     "# TYPE process_cpu_seconds_total counter\n");
		buf_printf(out, "process_cpu_seconds_total %lld.%06ld\n", (long long)used.tv_sec, used.tv_nsec / 1000);
	}
}

static void process_write_files(struct buf *out)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int count = 0;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	/* One of them was that of the directory itself. */
	process_write_one(out, "process_open_fds", "gauge", "Number of open file descriptors.", count - 1);

	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		process_write_one(out, "process_max_fds", "gauge", "Maximum number of open file descriptors.",
		                  (double)limit.rlim_cur);
}

/* The time when the machine was started, in seconds since 1970; 0 if /proc/stat does not have it. */
static unsigned long long process_boot_time(void)
{
	unsigned long long seconds = 0;
	char line[256];
	FILE *stat = fopen("/proc/stat", "re");

	if (!stat)
		return 0;
	while (fgets(line, sizeof(line), stat))
		if (sscanf(line, "btime %llu", &seconds) == 1)
			break;
	fclose(stat);
	return seconds;
}

static void process_write_start(struct buf *out)
{
	unsigned long long ticks;
	char text[1024];
	FILE *stat = fopen("/proc/self/stat", "re");

	if (!stat)
		return;
	size_t len = fread(text, 1, sizeof(text) - 1, stat);
	fclose(stat);
	text[len] = '\0';
	/*
	 * The start time is the 22nd field. The second field, the program's name in brackets, may hold any character, so
	 * fields are counted from the last closing bracket.
	 */
	const char *at = strrchr(text, ')');
	if (at && sscanf(at + 1, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
	                 &ticks) == 1)
		process_write_one(out, "process_start_time_seconds", "gauge", "Start time since 1970 in seconds.",
		                  (double)process_boot_time() + (double)ticks / (double)sysconf(_SC_CLK_TCK));
}

void metrics_write_process(struct buf *out)
{
	process_write_memory(out);
	process_write_cpu(out);
	process_write_files(out);
	process_write_start(out);
}
