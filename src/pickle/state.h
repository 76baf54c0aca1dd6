/* The machine while it runs, and what its opcodes share. */
#ifndef SFT_SRC_PICKLE_STATE_H
#define SFT_SRC_PICKLE_STATE_H

#include <sft/base.h>

#include "base/memory.h"
#include "pickle/grow.h"
#include "pickle/machine.h"
#include "pickle/memo.h"
#include "pickle/window.h"

typedef struct sft_machine {
    sft_pickle *pickle;
    sft_graph *graph; /* the pickle's */
    sft_pickle_options options;
    sft_error *error;
    sft_status status; /* of the call; not SFT_OK if the pickle's end is FAILED */
    sft_budget budget;
    sft_allocator allocator; /* over the budget */
    sft_window window;
    uint64_t at;    /* where the current opcode stands */
    uint8_t opcode; /* that one */
    bool stopped;

    sft_ref *stack;
    uint64_t stack_count, stack_capacity;
    uint64_t *marks; /* how high the stack was at each MARK */
    uint64_t mark_count, mark_capacity;
    uint64_t fence; /* the highest of them, or 0: nothing below it can be popped */

    sft_memo memo;
    bool memo_told;     /* SFT_EFFECT_MEMO is recorded once */
    uint64_t frame_end; /* of the last FRAME */
    bool straddled;     /* recorded for this opcode */
    int64_t buffers;    /* out-of-band ones that were asked for */
    char *line;         /* one that did not fit in the window */
    uint64_t line_capacity;
    /* Values that Python has once. */
    sft_ref none, booleans[2], bytes[256];
} sft_machine;

/*
 * Where an opcode ends the reading. Each returns false, as the opcodes do that fail: it is a sign
 * to return at once, all the way.
 */
bool sft_machine_break(sft_machine *machine, const char *what);
bool sft_machine_no_memory(sft_machine *machine);
bool sft_machine_limit(sft_machine *machine, const char *what);

/* ---- input ---- */

/*
 * The next `size` bytes, a few, or NULL. They stay until more are taken. Here, as for all that
 * is read, a frame's end that lies within is recorded.
 */
const unsigned char *sft_machine_take(sft_machine *machine, uint64_t size);

/* Goes past a text of that length, as the frames see it. False where the input ends before. */
bool sft_machine_reach(sft_machine *machine, uint64_t length);

/* A line as CPython reads it: up to a newline, which must be there. */
typedef struct sft_line_text {
    const char *bytes; /* until more is taken; the newline follows */
    uint64_t length;   /* without it */
    uint64_t offset;   /* in the input */
} sft_line_text;

/*
 * A line that is longer than `most` is beyond a limit: data that is no pickle but begins like one
 * must not be gathered in search of a newline.
 */
bool sft_machine_line(sft_machine *machine, uint64_t most, sft_line_text *line);

/* Far more than any number or name has. */
#define SFT_SHORT_LINE (UINT64_C(1) << 20)

/* ---- values ---- */

/* A value made by the current opcode; SFT_NO_REF, with the reading ended, where there is no room.
 */
sft_ref sft_machine_new(sft_machine *machine, sft_value_kind kind);

/* A value with a text: `bytes` of the graph's arena, or NULL for one that stays in the input. */
sft_ref sft_machine_text(sft_machine *machine, sft_value_kind kind, const char *bytes,
                         uint64_t offset, uint64_t length);

/* A value whose text is in the input, `length` bytes from here on; goes past it. */
sft_ref sft_machine_text_here(sft_machine *machine, sft_value_kind kind, uint64_t length);

/* A value whose text is a line that was just read; kept as sft_machine_text_here() does. */
sft_ref sft_machine_text_of(sft_machine *machine, sft_value_kind kind, const sft_line_text *line);

/* A value whose text is not as it stands in the input: `bytes` are copied. */
sft_ref sft_machine_text_copy(sft_machine *machine, sft_value_kind kind, const char *bytes,
                              uint64_t length);

bool sft_machine_effect(sft_machine *machine, sft_effect_kind kind, sft_ref subject,
                        sft_ref argument);

/* Records that what stands here, and a frame, end in different places; once for an opcode. */
bool sft_machine_straddle(sft_machine *machine);

/* ---- stack and marks ---- */

/* False if the value is SFT_NO_REF, so that the making of a value may stand in the call. */
bool sft_machine_push(sft_machine *machine, sft_ref value);

/* SFT_NO_REF, with the reading ended, where there is nothing above the fence. */
sft_ref sft_machine_pop(sft_machine *machine);
sft_ref sft_machine_top(sft_machine *machine);

/* Takes the highest mark away; the values above it begin at *from. */
bool sft_machine_unmark(sft_machine *machine, uint64_t *from);

/* A TUPLE, LIST… of the values from `from` on, which leave the stack. */
sft_ref sft_machine_gather(sft_machine *machine, sft_value_kind kind, uint64_t from);

/* ---- opcodes, by subject ---- */

bool sft_op_none(sft_machine *machine);
bool sft_op_bool(sft_machine *machine, bool value);
bool sft_op_binint(sft_machine *machine, uint64_t bytes);
bool sft_op_int(sft_machine *machine);
bool sft_op_long(sft_machine *machine);
bool sft_op_counted_long(sft_machine *machine, uint64_t bytes);
bool sft_op_float(sft_machine *machine);
bool sft_op_binfloat(sft_machine *machine);

bool sft_op_string(sft_machine *machine);
bool sft_op_unicode(sft_machine *machine);
bool sft_op_counted_text(sft_machine *machine, sft_value_kind kind, uint64_t bytes);
bool sft_op_next_buffer(sft_machine *machine);
bool sft_op_readonly_buffer(sft_machine *machine);

bool sft_op_empty(sft_machine *machine, sft_value_kind kind);
bool sft_op_tuple(sft_machine *machine, uint64_t length);
bool sft_op_marked(sft_machine *machine, sft_value_kind kind);
bool sft_op_append(sft_machine *machine);
bool sft_op_appends(sft_machine *machine, sft_value_kind onto);
bool sft_op_setitem(sft_machine *machine);
bool sft_op_setitems(sft_machine *machine);

bool sft_op_global(sft_machine *machine);
bool sft_op_stack_global(sft_machine *machine);
bool sft_op_extension(sft_machine *machine, uint64_t bytes);
bool sft_op_persid(sft_machine *machine);
bool sft_op_binpersid(sft_machine *machine);
bool sft_op_reduce(sft_machine *machine);
bool sft_op_newobj(sft_machine *machine, bool keywords);
bool sft_op_inst(sft_machine *machine);
bool sft_op_obj(sft_machine *machine);
bool sft_op_build(sft_machine *machine);

bool sft_op_mark(sft_machine *machine);
bool sft_op_pop(sft_machine *machine);
bool sft_op_pop_mark(sft_machine *machine);
bool sft_op_dup(sft_machine *machine);
bool sft_op_get(sft_machine *machine);
bool sft_op_binget(sft_machine *machine, uint64_t bytes);
bool sft_op_put(sft_machine *machine);
bool sft_op_binput(sft_machine *machine, uint64_t bytes);
bool sft_op_memoize(sft_machine *machine);

bool sft_op_proto(sft_machine *machine);
bool sft_op_frame(sft_machine *machine);
bool sft_op_stop(sft_machine *machine);

static inline uint64_t sft_little_endian(const unsigned char *bytes, uint64_t count) {
    uint64_t number = 0;
    for (uint64_t i = 0; i < count; i++) {
        number |= (uint64_t)bytes[i] << (8 * i);
    }
    return number;
}

#endif
