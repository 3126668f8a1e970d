/* Log: one line on stderr per event: time level room message. No patient's data in it. */
#ifndef MK_LOG_H
#define MK_LOG_H

typedef enum LogLevel { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR } LogLevel;

void log_level_set(LogLevel min);
void log_line(LogLevel level, const char *room, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define log_debug(room, ...) log_line(LOG_DEBUG, room, __VA_ARGS__)
#define log_info(room, ...)  log_line(LOG_INFO, room, __VA_ARGS__)
#define log_warn(room, ...)  log_line(LOG_WARN, room, __VA_ARGS__)
#define log_error(room, ...) log_line(LOG_ERROR, room, __VA_ARGS__)

#endif
