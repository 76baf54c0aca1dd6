#include "base/names.h"

#include <string.h>

#include "base/memory.h"

/* SipHash with one round a word and three at the end, after its authors' description (Aumasson and
 * Bernstein, 2012): as fast as a plain hash on short names, and safe against chosen ones. */
typedef struct sip {
    uint64_t a, b, c, d;
} sip;

static inline uint64_t rotate(uint64_t word, unsigned bits) {
    return (word << bits) | (word >> (64 - bits));
}

static inline void sip_round(sip *s) {
    s->a += s->b;
    s->c += s->d;
    s->b = rotate(s->b, 13) ^ s->a;
    s->d = rotate(s->d, 16) ^ s->c;
    s->a = rotate(s->a, 32);
    s->c += s->b;
    s->a += s->d;
    s->b = rotate(s->b, 17) ^ s->c;
    s->d = rotate(s->d, 21) ^ s->a;
    s->c = rotate(s->c, 32);
}

/* In the host's byte order: a hash never leaves the process. */
static inline void sip_word(sip *s, uint64_t word) {
    s->d ^= word;
    sip_round(s);
    s->a ^= word;
}

uint64_t sft_siphash(const uint64_t seed[2], const void *bytes, size_t size) {
    sip s = {seed[0] ^ UINT64_C(0x736f6d6570736575), seed[1] ^ UINT64_C(0x646f72616e646f6d),
             seed[0] ^ UINT64_C(0x6c7967656e657261), seed[1] ^ UINT64_C(0x7465646279746573)};
    const unsigned char *at = bytes;
    size_t left = size;
    for (; left >= 8; left -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        sip_word(&s, word);
    }
    uint64_t last = 0;
    if (left > 0) {
        memcpy(&last, at, left);
    }
    sip_word(&s, last ^ (uint64_t)size << 56);
    s.c ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}

static uint32_t hash_of(const sft_names *names, const char *name, size_t length) {
    return (uint32_t)sft_siphash(names->seed, name, length);
}

static const sft_named *item_at(const void *items, size_t stride, uint64_t index) {
    return (const sft_named *)(const void *)((const char *)items + (size_t)index * stride);
}

void sft_names_init(sft_names *names, const sft_allocator *allocator, const uint64_t seed[2]) {
    *names = (sft_names){.allocator = *allocator, .seed = {seed[0], seed[1]}};
}

/* A free slot for a hash that is known to be new to the table. */
static void put(uint64_t *slots, uint64_t capacity, uint64_t slot) {
    uint64_t at = (slot >> 32) & (capacity - 1);
    while (slots[at] != 0) {
        at = (at + 1) & (capacity - 1);
    }
    slots[at] = slot;
}

/* At most two thirds of the slots are used, which keeps searches short. */
bool sft_names_reserve(sft_names *names, uint64_t count) {
    uint64_t wanted = names->capacity == 0 ? 16 : names->capacity;
    while (count > wanted / 3 * 2) {
        wanted *= 2;
    }
    if (wanted == names->capacity) {
        return true;
    }
    uint64_t *slots = sft_allocate_zeroed(&names->allocator, wanted, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < names->capacity; i++) {
        if (names->slots[i] != 0) {
            put(slots, wanted, names->slots[i]);
        }
    }
    sft_release(&names->allocator, names->slots, names->capacity * sizeof *slots);
    names->slots = slots;
    names->capacity = wanted;
    return true;
}

/* Where the name is, or the free slot where it would go. */
static uint64_t search(const sft_names *names, const void *items, size_t stride, const char *name,
                       size_t length, uint32_t hash) {
    uint64_t at = hash & (names->capacity - 1);
    while (names->slots[at] != 0) {
        if (names->slots[at] >> 32 == hash) {
            const sft_named *item = item_at(items, stride, (names->slots[at] & UINT32_MAX) - 1);
            if (item->length == length && (length == 0 || memcmp(item->name, name, length) == 0)) {
                break;
            }
        }
        at = (at + 1) & (names->capacity - 1);
    }
    return at;
}

sft_names_result sft_names_add(sft_names *names, const void *items, size_t stride, uint64_t index) {
    if (index >= SFT_NAMES_MAX || !sft_names_reserve(names, names->count + 1)) {
        return SFT_NAMES_NO_MEMORY;
    }
    const sft_named *item = item_at(items, stride, index);
    uint32_t hash = hash_of(names, item->name, item->length);
    uint64_t at = search(names, items, stride, item->name, item->length, hash);
    if (names->slots[at] != 0) {
        return SFT_NAMES_DUPLICATE;
    }
    names->slots[at] = (uint64_t)hash << 32 | (index + 1);
    names->count++;
    return SFT_NAMES_ADDED;
}

uint64_t sft_names_find(const sft_names *names, const void *items, size_t stride, const char *name,
                        size_t length) {
    if (names->count == 0) {
        return UINT64_MAX;
    }
    uint64_t at = search(names, items, stride, name, length, hash_of(names, name, length));
    return names->slots[at] == 0 ? UINT64_MAX : (names->slots[at] & UINT32_MAX) - 1;
}

void sft_names_move(sft_names *names, const uint32_t *places) {
    for (uint64_t i = 0; i < names->capacity; i++) {
        uint64_t number = names->slots[i] & UINT32_MAX;
        if (number != 0) {
            names->slots[i] =
                (names->slots[i] & ~(uint64_t)UINT32_MAX) | ((uint64_t)places[number - 1] + 1);
        }
    }
}

/* In time that depends on the names held, never on those of an earlier, larger use. */
void sft_names_clear(sft_names *names) {
    if (names->capacity > 16 + 8 * names->count) {
        sft_names_free(names);
    } else if (names->count > 0) {
        memset(names->slots, 0, (size_t)(names->capacity * sizeof *names->slots));
        names->count = 0;
    }
}

void sft_names_free(sft_names *names) {
    sft_release(&names->allocator, names->slots, names->capacity * sizeof *names->slots);
    names->slots = NULL;
    names->capacity = 0;
    names->count = 0;
}
