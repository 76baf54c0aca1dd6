/* Pickles that are read, and what came of them as text. Include behind fixture.h. */
#ifndef SFT_TESTS_PICKLES_H
#define SFT_TESTS_PICKLES_H

#include "check_pickle.h"
#include "pickle/judge.h"

typedef struct pickled {
    sft_pickle pickle;
    check_input input;
    sft_pickle_input given;
} pickled;

/* A literal, which may hold NUL. */
#define BYTES(literal) (literal), sizeof(literal) - 1

/* Reads, and sees to it that the graph is whole. The caller ends with sft_pickle_free(). */
static inline void pickled_read(pickled *to, const void *bytes, size_t size,
                                const sft_pickle_options *options) {
    to->input = (check_input){bytes, size, 0, false};
    to->given = check_input_of(&to->input);
    assert_ok(sft_pickle_read(&to->pickle, &to->given, 0, options, NULL));
    assert_false(to->input.wrong);
    const char *wrong = check_pickle(&to->pickle, size);
    if (wrong != NULL) {
        fail_msg("%s", wrong);
    }
}

/* The result as Python prints it, or why there is none; good until the next call. */
static inline const char *pickled_shown(pickled *of) {
    static char text[400];
    if (of->pickle.end != SFT_PICKLE_STOPPED) {
        return of->pickle.what;
    }
    /* Texts that were skipped are read now. */
    of->input.next = 0;
    sft_show_value(&of->pickle.graph, &of->given, of->pickle.result, text, sizeof text);
    return text;
}

/* All effects: "GLOBAL os.system, CALL"; good until the next call. */
static inline const char *pickled_effects(const pickled *of) {
    static const char *const names[] = {"GLOBAL",    "CALL",       "STATE",     "APPEND",
                                        "SET_ITEM",  "PERSISTENT", "EXTENSION", "BUFFER",
                                        "STRADDLED", "LEFTOVER",   "MEMO"};
    static char text[1000];
    text[0] = '\0';
    for (uint64_t i = 0; i < of->pickle.graph.effect_count; i++) {
        const sft_effect *effect = &of->pickle.graph.effects[i];
        size_t used = strlen(text);
        sft_pair pair;
        snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? ", " : "", names[effect->kind]);
        used = strlen(text);
        if (effect->kind == SFT_EFFECT_GLOBAL &&
            sft_graph_pair(&of->pickle.graph, effect->subject, &pair)) {
            snprintf(text + used, sizeof text - used, " %.*s.%.*s", (int)pair.module_length,
                     pair.module, (int)pair.name_length, pair.name);
        }
    }
    return text;
}

typedef struct pickle_case {
    const char *bytes;
    size_t size;
    const char *shown;
    const char *effects; /* or NULL, which is "" too */
} pickle_case;

static inline void expect_pickles(const pickle_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        pickled read;
        pickled_read(&read, cases[i].bytes, cases[i].size, NULL);
        const char *effects = cases[i].effects != NULL ? cases[i].effects : "";
        if (strcmp(pickled_shown(&read), cases[i].shown) != 0 ||
            strcmp(pickled_effects(&read), effects) != 0) {
            fail_msg("case %zu: %s [%s] where %s [%s] was expected", i, pickled_shown(&read),
                     pickled_effects(&read), cases[i].shown, effects);
        }
        sft_pickle_free(&read.pickle);
    }
}

#define EXPECT_PICKLES(cases) expect_pickles((cases), sizeof(cases) / sizeof(cases)[0])

#endif
