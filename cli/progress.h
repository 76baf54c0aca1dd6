/*
 * A line on the terminal while work goes on that takes longer than a second:
 * how much is done, how fast, how long it will take.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdint.h>

/* progress_begin() - `total` bytes are about to be moved; does nothing but on a terminal. */
void progress_begin(uint64_t total);

/* progress_add() - so many more are done. */
void progress_add(uint64_t bytes);

/* progress_set() - so many are done in all. */
void progress_set(uint64_t done, uint64_t total);

/* progress_clear() - takes the line away, before something else is printed. */
void progress_clear(void);

/* progress_end() - the work is over. */
void progress_end(void);

#endif /* CLI_PROGRESS_H */
