/*
 * Memory to read tensors into.
 *
 * Any memory will do for sft_read() and its sisters; this is the fast kind. The first touch of a
 * page of 4 KiB costs as much as filling it, so large pieces come on large pages where the system
 * has them, and nothing is touched before the bytes arrive.
 */
#ifndef SFT_MEMORY_H
#define SFT_MEMORY_H

#include <sft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * sft_memory_new() - room for tensors, with undefined contents.
 *
 * @size: bytes; 0 is as 1
 *
 * Returns memory aligned to 64 bytes at least, which the caller frees with sft_memory_free(), or
 * NULL where there is none. Any thread.
 */
SFT_API SFT_MUST_USE void *sft_memory_new(uint64_t size);

/* sft_memory_free() - gives it back to the system. NULL is fine. Any thread. */
SFT_API void sft_memory_free(void *memory);

#ifdef __cplusplus
}
#endif

#endif /* SFT_MEMORY_H */
