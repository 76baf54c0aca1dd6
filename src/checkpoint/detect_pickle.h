/* Whether a file begins as a pickle may. */
#ifndef SFT_SRC_CHECKPOINT_DETECT_PICKLE_H
#define SFT_SRC_CHECKPOINT_DETECT_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many first bytes are enough to tell. */
#define SFT_PICKLE_LOOK 4096

/*
 * True of what begins with PROTO. Else opcodes are read as far as these first bytes of the file go:
 * true if all can be read, up to STOP, to one that imports something, or to the end of the bytes
 * where that is not the end of the file. An operand that CPython would refuse cannot be read.
 */
bool sft_begins_as_pickle(const unsigned char *bytes, size_t size, uint64_t file_size);

#endif
