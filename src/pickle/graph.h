/*
 * What a pickle builds, as data: values that refer to each other by number, and the effects that
 * loading it would have, in their order. Nothing in here can call anything.
 *
 * Values may be shared, and may contain themselves: whoever walks the graph marks where he is, and
 * uses no recursion.
 */
#ifndef SFT_SRC_PICKLE_GRAPH_H
#define SFT_SRC_PICKLE_GRAPH_H

#include <sft/base.h>

#include "base/arena.h"

/* The number of a value. 0 is none. */
typedef uint32_t sft_ref;
#define SFT_NO_REF UINT32_C(0)

typedef enum sft_value_kind {
    SFT_VALUE_NONE,
    SFT_VALUE_BOOL,       /* integer: 0 or 1 */
    SFT_VALUE_INT,        /* integer */
    SFT_VALUE_BIG_INT,    /* beyond int64: text; see below */
    SFT_VALUE_FLOAT,      /* real */
    SFT_VALUE_STR,        /* text, UTF-8 (lone surrogates allowed, as Python's surrogatepass) */
    SFT_VALUE_OLD_STR,    /* text: bytes of a Python 2 str (STRING, BINSTRING, SHORT_BINSTRING) */
    SFT_VALUE_BYTES,      /* text */
    SFT_VALUE_BYTEARRAY,  /* text */
    SFT_VALUE_LIST,       /* items */
    SFT_VALUE_TUPLE,      /* items */
    SFT_VALUE_DICT,       /* items: key, value, key, value… in the order they were set */
    SFT_VALUE_SET,        /* items */
    SFT_VALUE_FROZENSET,  /* items */
    SFT_VALUE_GLOBAL,     /* global */
    SFT_VALUE_OBJECT,     /* object: the result of a call */
    SFT_VALUE_PERSISTENT, /* items: the id, one value */
    SFT_VALUE_EXTENSION,  /* integer: the code */
    SFT_VALUE_BUFFER      /* integer: number of the out-of-band buffer */
} sft_value_kind;

/*
 * The text of a BIG_INT: up to 17 bytes are little-endian two's complement, of what was written in
 * digits too. Longer ones are opaque: the same from LONG1 and LONG4, else digits as they stand.
 */

/*
 * Bytes of a str, bytes or number. Short ones, and those that a pickle holds in an escaped form,
 * are in memory; long ones stay where they are in the input.
 */
typedef struct sft_text {
    const char *bytes; /* NULL: not in memory */
    uint64_t offset;   /* where they lie in the input, if bytes is NULL */
} sft_text;

/* Values in a row, as a chain of links; count is in the value. */
typedef struct sft_items {
    uint32_t first; /* link numbers; 0: none */
    uint32_t last;
} sft_items;

typedef struct sft_global {
    sft_ref module; /* a STR, or where it was computed (STACK_GLOBAL) whatever computed it */
    sft_ref name;
} sft_global;

/*
 * None, True, False and the integers from 0 to 255 are there once each, as in Python: their opcode
 * and place are those where they came first.
 */
typedef struct sft_value {
    uint8_t kind;   /* sft_value_kind */
    uint8_t opcode; /* that made it */
    uint8_t flags;  /* for those who walk; 0 at first */
    uint32_t count; /* of items */
    uint64_t at;    /* where that opcode stands in the input */
    union {
        int64_t integer;
        double real;
        sft_items items;
        sft_global global;
        uint32_t object; /* for sft_graph_object() */
        uint64_t text;   /* number of a text; see sft_graph_text() */
    };
} sft_value;

/* How an object was made. */
typedef enum sft_call_kind {
    SFT_CALL_REDUCE,    /* callee(*arguments) */
    SFT_CALL_NEWOBJ,    /* callee.__new__(callee, *arguments) */
    SFT_CALL_NEWOBJ_EX, /* callee.__new__(callee, *arguments, **keywords) */
    SFT_CALL_INSTANCE   /* INST, OBJ: callee(*arguments), or an empty instance */
} sft_call_kind;

typedef struct sft_object {
    sft_call_kind call;
    sft_ref callee;
    sft_ref arguments; /* a TUPLE, or what else stood there (its kind not known: an OBJECT say) */
    sft_ref keywords;  /* NEWOBJ_EX, else SFT_NO_REF */
    sft_items states;  /* what BUILD gave it, in order */
    uint32_t state_count;
    sft_items appended; /* by APPEND, APPENDS, ADDITEMS */
    uint32_t appended_count;
    sft_items set; /* by SETITEM, SETITEMS: key, value, key, value… */
    uint32_t set_count;
    uint64_t raw_offset; /* raw bytes behind BUILD, as joblib has them; see sft_pickle_options */
    uint64_t raw_size;   /* 0 where there are none */
} sft_object;

typedef enum sft_effect_kind {
    SFT_EFFECT_GLOBAL,   /* subject: a GLOBAL: something is imported and looked up */
    SFT_EFFECT_CALL,     /* subject: an OBJECT: something is called */
    SFT_EFFECT_STATE,    /* subject gets the state `argument` by BUILD */
    SFT_EFFECT_APPEND,   /* APPEND, APPENDS on what is no list, ADDITEMS on what is no set: a method
                            of subject runs; argument is the first of the items */
    SFT_EFFECT_SET_ITEM, /* SETITEM, SETITEMS on what is no dict: likewise; the first key */
    SFT_EFFECT_PERSISTENT, /* subject: a PERSISTENT: the loader is asked for it */
    SFT_EFFECT_EXTENSION,  /* subject: an EXTENSION: something registered is imported */
    SFT_EFFECT_BUFFER,     /* subject: a BUFFER, or of READONLY_BUFFER an OBJECT, GLOBAL, PERSISTENT
                              or EXTENSION that is asked for its buffer */
    SFT_EFFECT_STRADDLED,  /* an opcode or its argument crosses the end of a frame, frames overlap,
                              or STOP stands before a frame's end */
    SFT_EFFECT_LEFTOVER,   /* at STOP, values other than the result are on the stack */
    SFT_EFFECT_MEMO        /* a number of the memo is beyond the size of the input (told once):
                              where the memo is an array, as in CPython, that costs memory */
} sft_effect_kind;

typedef struct sft_effect {
    uint8_t kind;   /* sft_effect_kind */
    uint8_t opcode; /* the byte */
    sft_ref subject;
    sft_ref argument;
    uint64_t at; /* where the opcode stands in the input */
} sft_effect;

typedef struct sft_link {
    sft_ref value;
    uint32_t next;
} sft_link;

typedef struct sft_long_text {
    sft_text text;
    uint64_t length;
} sft_long_text;

/* Arrays grow; number 0 of values and links stands for none. */
typedef struct sft_graph {
    sft_allocator allocator;
    sft_arena arena; /* texts */
    sft_value *values;
    uint64_t value_count, value_capacity;
    sft_link *links;
    uint64_t link_count, link_capacity;
    sft_object *objects;
    uint64_t object_count, object_capacity;
    sft_long_text *texts;
    uint64_t text_count, text_capacity;
    sft_effect *effects;
    uint64_t effect_count, effect_capacity;
    bool full; /* numbers have ended before memory did */
} sft_graph;

void sft_graph_init(sft_graph *graph, const sft_allocator *allocator);
void sft_graph_free(sft_graph *graph);

/* ref is a number of the graph. */
static inline const sft_value *sft_graph_value(const sft_graph *graph, sft_ref ref) {
    return &graph->values[ref];
}

static inline sft_value_kind sft_graph_kind(const sft_graph *graph, sft_ref ref) {
    return (sft_value_kind)graph->values[ref].kind;
}

/* Of an OBJECT. */
static inline const sft_object *sft_graph_object(const sft_graph *graph, sft_ref ref) {
    return &graph->objects[graph->values[ref].object];
}

/* Of a STR, OLD_STR, BYTES, BYTEARRAY or BIG_INT: where its bytes are, and how many. */
static inline const sft_long_text *sft_graph_text(const sft_graph *graph, sft_ref ref) {
    return &graph->texts[graph->values[ref].text];
}

/* Whether it is a STR or OLD_STR that is in memory and reads so. */
bool sft_graph_is_text(const sft_graph *graph, sft_ref ref, const char *text);

/* Walks a row: `for (uint32_t link = items.first; link != 0; link = next)`. */
static inline sft_ref sft_graph_item(const sft_graph *graph, uint32_t *link) {
    const sft_link *here = &graph->links[*link];
    *link = here->next;
    return here->value;
}

/* Number `index` of a LIST, TUPLE, … ; SFT_NO_REF beyond its end. Walks there. */
sft_ref sft_graph_at(const sft_graph *graph, sft_ref ref, uint32_t index);

/* An INT (or BOOL) that is not negative; false for all else. */
bool sft_graph_size(const sft_graph *graph, sft_ref ref, uint64_t *size);

/*
 * Whether ref is a GLOBAL whose module and name are texts in memory; gives them, not ended by NUL.
 */
typedef struct sft_pair {
    const char *module;
    size_t module_length;
    const char *name;
    size_t name_length;
} sft_pair;
bool sft_graph_pair(const sft_graph *graph, sft_ref ref, sft_pair *pair);

#endif
