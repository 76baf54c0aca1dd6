/* Some threads for one piece of work, which live no longer than it. */
#ifndef SFT_SRC_IO_POOL_H
#define SFT_SRC_IO_POOL_H

#include <stdbool.h>
#include <stdint.h>

/* Does number `index` of the work; false calls off what has not begun. */
typedef bool (*sft_pool_work)(void *context, uint64_t index);

/*
 * Calls work for 0 to count - 1, in that order of beginning, from up to `threads` threads, the
 * caller's among them. Threads that the system refuses are done without. Returns when all are done;
 * false if a call returned false.
 */
bool sft_pool_run(uint32_t threads, uint64_t count, sft_pool_work work, void *context);

#endif
