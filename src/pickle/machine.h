/*
 * The machine that reads a pickle as data: every opcode of protocols 0 to 5, as CPython's C
 * unpickler (Modules/_pickle.c) reads them, its quirks included. It builds the graph and records
 * the effects; it imports, calls and executes nothing, for there is nothing in it that could.
 *
 * Where CPython would stop with an exception that depends on values it has and the machine has not
 * (an unhashable key, say), the machine goes on: it records what CPython does, and maybe more,
 * never less. Time is linear in the input; memory is bounded by it and by a limit; no recursion.
 */
#ifndef SFT_SRC_PICKLE_MACHINE_H
#define SFT_SRC_PICKLE_MACHINE_H

#include <sft/base.h>

#include "pickle/graph.h"

/* Where the stream comes from. read fills exactly `size` bytes, all of which lie within `size` of
 * the input. */
typedef struct sft_pickle_input {
    void *context;
    sft_status (*read)(void *context, uint64_t offset, void *to, uint64_t size, sft_error *error);
    uint64_t size;
} sft_pickle_input;

typedef struct sft_pickle_options {
    const sft_allocator *allocator; /* NULL: malloc */
    uint64_t memory;                /* bytes the graph, stack and memo may take; 0: 192 MiB */
    /*
     * Texts up to this many bytes are copied into the graph; longer ones stay in the input. 0:
     * 4096.
     */
    uint64_t text_in_memory;
    /*
     * Called after each BUILD on an OBJECT, with `position` behind the opcode. It may say that raw
     * bytes stand there before the next opcode, as joblib writes arrays: *raw_offset where they
     * begin (past padding), *raw_size, and *next where opcodes go on; returns true then. May be
     * NULL.
     */
    bool (*after_build)(void *context, const sft_graph *graph, sft_ref object, uint64_t position,
                        uint64_t *raw_offset, uint64_t *raw_size, uint64_t *next);
    void *after_build_context;
} sft_pickle_options;

typedef enum sft_pickle_end {
    SFT_PICKLE_STOPPED, /* STOP was reached */
    SFT_PICKLE_BROKEN,  /* not a pickle from `position` on, or it ends too soon: `what` says */
    SFT_PICKLE_LIMIT, /* it needs more than the limits allow; also a line of a megabyte for a number
                         or a name */
    SFT_PICKLE_FAILED /* the input could not be read, or memory ran out: the status of the call */
} sft_pickle_end;

typedef struct sft_pickle {
    sft_graph graph;
    sft_pickle_end end;
    sft_ref result;    /* what STOP returns, else SFT_NO_REF */
    uint64_t start;    /* of the stream, in the input */
    uint64_t position; /* behind STOP; else where the opcode stands that could not be read */
    uint8_t opcode;    /* that one */
    uint32_t protocol; /* the highest that a PROTO named; 0 if none did */
    bool begins_with_proto;
    const char *what; /* static: a sentence without a full stop, where BROKEN or LIMIT */
} sft_pickle;

/*
 * Reads one pickle that begins at `start`. Returns SFT_OK also where the pickle is broken or beyond
 * a limit (see `end`; what was seen before that is in the graph), else SFT_NO_MEMORY or what
 * input.read gave. sft_pickle_free() in any case.
 */
sft_status sft_pickle_read(sft_pickle *pickle, const sft_pickle_input *input, uint64_t start,
                           const sft_pickle_options *options, sft_error *error);
void sft_pickle_free(sft_pickle *pickle);

/* The name of an opcode as pickletools has it: "REDUCE"; NULL for a byte that is none. Static. */
const char *sft_opcode_name(uint8_t opcode);

#endif
