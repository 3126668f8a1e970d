#include "mk_log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include "mk_time.h"

#include "mk_banned.h"

#define LINE_BYTES_MAX 2048

static _Atomic int level_min = LOG_INFO;

void log_level_set(LogLevel min)
{
    atomic_store(&level_min, (int)min);
}

static int64_t system_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static size_t clipped(int n, size_t room)
{
    return n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

/* One write a line, so that lines of several threads do not mix; line ends inside become spaces. */
void log_line(LogLevel level, const char *room, const char *fmt, ...)
{
    static const char *const NAMES[] = {"debug", "info", "warn", "error"};
    if ((int)level < atomic_load(&level_min)) {
        return;
    }
    char line[LINE_BYTES_MAX];
    int64_t ms = system_ms();
    int y, mo, d;
    civil_from_days(ms / MS_DAY, &y, &mo, &d);
    int64_t of_day = ms % MS_DAY;
    size_t n =
        clipped(snprintf(line, sizeof line, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ %s %s ", y, mo, d,
                         (int)(of_day / MS_HOUR), (int)(of_day / MS_MINUTE % 60),
                         (int)(of_day / MS_SECOND % 60), (int)(of_day % 1000), NAMES[level], room),
                sizeof line);
    va_list args;
    va_start(args, fmt);
    size_t end =
        n + clipped(vsnprintf(line + n, sizeof line - n - 1, fmt, args), sizeof line - n - 1);
    va_end(args);
    for (size_t i = n; i < end; i++) {
        line[i] = line[i] == '\n' || line[i] == '\r' ? ' ' : line[i];
    }
    line[end] = '\n';
    if (write(STDERR_FILENO, line, end + 1) < 0) {
        return; /* nowhere left to say it */
    }
}
