/* None, bools and numbers. */
#include <string.h>

#include "pickle/literals.h"
#include "pickle/state.h"

/* One value for all that Python has once, too: a byte of a pickle must not cost more than that. */
static bool push_shared(sft_machine *machine, sft_ref *shared, sft_value_kind kind,
                        int64_t integer) {
    if (*shared == SFT_NO_REF) {
        *shared = sft_machine_new(machine, kind);
        if (*shared == SFT_NO_REF) {
            return false;
        }
        machine->graph->values[*shared].integer = integer;
    }
    return sft_machine_push(machine, *shared);
}

bool sft_op_none(sft_machine *machine) {
    return push_shared(machine, &machine->none, SFT_VALUE_NONE, 0);
}

bool sft_op_bool(sft_machine *machine, bool value) {
    return push_shared(machine, &machine->booleans[value], SFT_VALUE_BOOL, value);
}

static bool push_int(sft_machine *machine, int64_t integer) {
    if (integer >= 0 && integer < 256) {
        return push_shared(machine, &machine->bytes[integer], SFT_VALUE_INT, integer);
    }
    sft_ref ref = sft_machine_new(machine, SFT_VALUE_INT);
    if (ref == SFT_NO_REF) {
        return false;
    }
    machine->graph->values[ref].integer = integer;
    return sft_machine_push(machine, ref);
}

static int64_t sign_extend(uint64_t number, unsigned bits) {
    uint64_t sign = UINT64_C(1) << (bits - 1);
    uint64_t extended = (number ^ sign) - sign;
    return extended <= INT64_MAX ? (int64_t)extended : -(int64_t)~extended - 1;
}

/* Signed where it has four bytes, and only there. */
bool sft_op_binint(sft_machine *machine, uint64_t bytes) {
    const unsigned char *number = sft_machine_take(machine, bytes);
    if (number == NULL) {
        return false;
    }
    uint64_t value = sft_little_endian(number, bytes);
    return push_int(machine, bytes == 4 ? sign_extend(value, 32) : (int64_t)value);
}

/* A number read from a line: INT, or BIG_INT as bytes up to 128 bits, else as it stands there. */
static bool push_number(sft_machine *machine, const sft_number *number, const sft_line_text *line) {
    int64_t integer;
    if (sft_number_int(number, &integer)) {
        return push_int(machine, integer);
    }
    if (number->beyond) {
        return sft_machine_push(machine, sft_machine_text_of(machine, SFT_VALUE_BIG_INT, line));
    }
    char bytes[17];
    size_t length = sft_number_bytes(number, bytes);
    return sft_machine_push(machine,
                            sft_machine_text_copy(machine, SFT_VALUE_BIG_INT, bytes, length));
}

bool sft_op_int(sft_machine *machine) {
    sft_line_text line;
    sft_number number;
    bool is_bool;
    if (!sft_machine_line(machine, SFT_SHORT_LINE, &line)) {
        return false;
    }
    if (!sft_read_c_int(line.bytes, line.length, &number, &is_bool)) {
        return sft_machine_break(machine, "a line is no integer");
    }
    if (is_bool) {
        return sft_op_bool(machine, number.digits[0] != 0);
    }
    return push_number(machine, &number, &line);
}

/* An L at the end is not required. */
bool sft_op_long(sft_machine *machine) {
    sft_line_text line;
    sft_number number;
    if (!sft_machine_line(machine, SFT_SHORT_LINE, &line)) {
        return false;
    }
    if (line.length > 0 && line.bytes[line.length - 1] == 'L') {
        line.length--;
    }
    if (!sft_read_int(line.bytes, line.length, 0, &number)) {
        return sft_machine_break(machine, "a line is no integer");
    }
    return push_number(machine, &number, &line);
}

/* Bytes of a number that are looked at; see SFT_VALUE_BIG_INT. */
#define LONGEST_EXACT 17

static bool push_counted(sft_machine *machine, uint64_t length) {
    const unsigned char *bytes = sft_machine_take(machine, length);
    if (bytes == NULL) {
        return false;
    }
    /* A byte that only repeats the sign of the one below it says nothing. */
    while (length > 8 && bytes[length - 1] == ((bytes[length - 2] & 0x80) != 0 ? 0xff : 0)) {
        length--;
    }
    if (length > 8) {
        return sft_machine_push(machine, sft_machine_text_copy(machine, SFT_VALUE_BIG_INT,
                                                               (const char *)bytes, length));
    }
    uint64_t number = sft_little_endian(bytes, length);
    return push_int(machine, length > 0 ? sign_extend(number, 8 * (unsigned)length) : 0);
}

bool sft_op_counted_long(sft_machine *machine, uint64_t bytes) {
    const unsigned char *count = sft_machine_take(machine, bytes);
    if (count == NULL) {
        return false;
    }
    uint64_t length = sft_little_endian(count, bytes);
    if (length > INT32_MAX) {
        return sft_machine_break(machine, "a number has a negative length");
    }
    return length <= LONGEST_EXACT
               ? push_counted(machine, length)
               : sft_machine_push(machine,
                                  sft_machine_text_here(machine, SFT_VALUE_BIG_INT, length));
}

static bool push_float(sft_machine *machine, double real) {
    sft_ref ref = sft_machine_new(machine, SFT_VALUE_FLOAT);
    if (ref == SFT_NO_REF) {
        return false;
    }
    machine->graph->values[ref].real = real;
    return sft_machine_push(machine, ref);
}

bool sft_op_float(sft_machine *machine) {
    sft_line_text line;
    double real;
    if (!sft_machine_line(machine, SFT_SHORT_LINE, &line)) {
        return false;
    }
    char small[256];
    uint64_t size = line.length + 32;
    char *room = size <= sizeof small ? small : sft_allocate(&machine->allocator, size);
    if (room == NULL) {
        return sft_machine_no_memory(machine);
    }
    bool is_float = sft_read_float(line.bytes, line.length, room, &real);
    if (room != small) {
        sft_release(&machine->allocator, room, size);
    }
    return is_float ? push_float(machine, real) : sft_machine_break(machine, "a line is no number");
}

bool sft_op_binfloat(sft_machine *machine) {
    const unsigned char *bytes = sft_machine_take(machine, 8);
    if (bytes == NULL) {
        return false;
    }
    uint64_t bits = 0;
    for (unsigned i = 0; i < 8; i++) {
        bits = bits << 8 | bytes[i];
    }
    double real;
    memcpy(&real, &bits, sizeof real);
    return push_float(machine, real);
}
