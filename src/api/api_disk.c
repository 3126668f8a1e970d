/* The space that is left for the data: told by /healthz and /metrics, warned of in the program's
 * log. */
#include "api_inner.h"

#include "access_param.h"

#define LOOK_MS 60000

bool api_disk(const Api *api, ApiDisk *ret)
{
    int64_t now_ms = clock_now(api->options.clock);
    if (disk_space(api->options.dir, &ret->free_bytes, &ret->total_bytes, NULL) != OK) {
        return false;
    }
    ret->low_bytes = (uint64_t)access_param(ACCESS_DISK_LOW_BYTES, now_ms);
    ret->low = ret->free_bytes < ret->low_bytes;
    return true;
}

/* Said when it changes, looked at once a minute. Writes are refused only by a disk that is full. */
void api_disk_watch(Api *api)
{
    ApiDisk disk;
    int64_t now_ms = time_mono_ms();
    if (now_ms - api->disk_looked_ms < LOOK_MS && api->disk_looked_ms) {
        return;
    }
    api->disk_looked_ms = now_ms;
    if (!api_disk(api, &disk) || disk.low == api->disk_low) {
        return;
    }
    api->disk_low = disk.low;
    log_line(disk.low ? LOG_WARN : LOG_INFO, "api", "disk: %llu of %llu MiB are free%s",
             (unsigned long long)(disk.free_bytes >> 20),
             (unsigned long long)(disk.total_bytes >> 20),
             disk.low ? ": make room, or no more can be written" : "");
}
