/* Opcode streams to try: made at random from a grammar, and mutations of those and of others. */
#ifndef SFT_TESTS_MACHINE_STREAMS_H
#define SFT_TESTS_MACHINE_STREAMS_H

#include <stddef.h>
#include <stdint.h>

#define STREAM_ROOM 4096

typedef struct stream {
    uint64_t random; /* state; what is set here decides all that follows */
    size_t size;
    unsigned char bytes[STREAM_ROOM];
    unsigned memo; /* indices that were put */
} stream;

/* The next number at random. */
uint64_t stream_next(stream *to);

/* A number below `bound`, which is not 0. */
unsigned stream_below(stream *to, unsigned bound);

/* A pickle that means something, up to its STOP. */
void stream_generate(stream *to);

/* Adds opcodes that leave one value, of no great depth. */
void stream_piece(stream *to);

/* Changes a stream in one to four places. Pieces of `other` may come in. */
void stream_mutate(stream *to, const unsigned char *other, size_t other_size);

#endif
