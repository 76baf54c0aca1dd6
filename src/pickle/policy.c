#include "pickle/policy.h"

#include <string.h>

#include "base/sort.h"

static int compare_text(const char *bytes, size_t length, const char *text) {
    return sft_sort_bytes(bytes, length, text, strlen(text));
}

static int compare(const sft_pair *pair, const sft_policy_entry *row) {
    int order = compare_text(pair->module, pair->module_length, row->module);
    if (order != 0) {
        return order;
    }
    if (row->name == NULL) {
        return pair->name == NULL ? 0 : 1;
    }
    return pair->name == NULL ? -1 : compare_text(pair->name, pair->name_length, row->name);
}

int sft_policy_order(const sft_policy_entry *a, const sft_policy_entry *b) {
    sft_pair pair = {a->module, strlen(a->module), a->name, a->name != NULL ? strlen(a->name) : 0};
    return compare(&pair, b);
}

static const sft_policy_entry *find(const sft_policy_table *table, const sft_pair *pair) {
    size_t low = 0;
    size_t high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(pair, &table->rows[middle]);
        if (order == 0) {
            return &table->rows[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

/* ---- what is dangerous ---- */

/* Longer than the name of any module in a table. A name may have thousands of dots in it, and a
 * pickle may look it up again and again. */
#define LONGEST_MODULE 64

/* As many steps of a dotted name are looked at. Behind them it is dotted all the same. */
#define STEPS 16

/* The row for a whole module, or for one that it lies in. */
static const sft_policy_entry *dangerous_module(const char *module, size_t length) {
    for (size_t end = 1; end <= length && end <= LONGEST_MODULE; end++) {
        if (end < length && module[end] != '.') {
            continue;
        }
        sft_pair outer = {module, end, NULL, 0};
        const sft_policy_entry *row = find(&sft_policy_dangers, &outer);
        if (row != NULL) {
            return row;
        }
    }
    return NULL;
}

/* Names that lead from any module or object to everything that Python has, in its own words. */
static bool leads_anywhere(const char *name, size_t length) {
    static const char *const names[] = {"__builtins__", "__globals__", "__import__",
                                        "__loader__",   "__spec__",    "__subclasses__"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (compare_text(name, length, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static const sft_policy_entry anywhere = {"",
                                          NULL,
                                          SFT_POLICY_DANGEROUS,
                                          SFT_ROLE_NONE,
                                          0,
                                          SFT_NO_DTYPE,
                                          "leads from any module to all that Python has"};

/*
 * A dotted name is looked up step by step: ("numpy", "lib.os.system") is os.system by another way.
 * Each step is held against the modules, as if it were imported itself.
 */
static const sft_policy_entry *dangerous_steps(const sft_pair *pair) {
    size_t start = 0;
    unsigned steps = 0;
    for (size_t end = 0; end <= pair->name_length && steps < STEPS; end++) {
        if (end < pair->name_length && pair->name[end] != '.') {
            continue;
        }
        const char *step = pair->name + start;
        if (leads_anywhere(step, end - start)) {
            return &anywhere;
        }
        if (end < pair->name_length) {
            sft_pair whole = {step, end - start, NULL, 0};
            const sft_policy_entry *row = find(&sft_policy_dangers, &whole);
            if (row != NULL) {
                return row;
            }
        }
        start = end + 1;
        steps++;
    }
    return NULL;
}

static const sft_policy_entry *dangerous(const sft_pair *pair) {
    const sft_policy_entry *row = find(&sft_policy_dangers, pair);
    const char *dot = memchr(pair->name, '.', pair->name_length);
    if (row == NULL && dot != NULL) {
        sft_pair first = {pair->module, pair->module_length, pair->name,
                          (size_t)(dot - pair->name)};
        row = find(&sft_policy_dangers, &first);
    }
    if (row == NULL) {
        row = dangerous_module(pair->module, pair->module_length);
    }
    return row != NULL ? row : dangerous_steps(pair);
}

/* ---- the question ---- */

static bool same(const sft_pair *a, const sft_pair *b) {
    return sft_sort_bytes(a->module, a->module_length, b->module, b->module_length) == 0 &&
           sft_sort_bytes(a->name, a->name_length, b->name, b->name_length) == 0;
}

static bool vouched(const sft_policy *policy, const sft_pair *pair) {
    for (uint64_t i = 0; policy != NULL && i < policy->inert_count; i++) {
        if (same(&policy->inert[i], pair)) {
            return true;
        }
    }
    return false;
}

static const sft_policy_entry *listed(const sft_pair *pair) {
    const sft_policy_entry *row = find(&sft_policy_names, pair);
    return row != NULL ? row : find(&sft_policy_records, pair);
}

/* What a name is as it is spelled. */
static sft_policy_answer ask(const sft_policy *policy, const sft_pair *pair) {
    sft_policy_answer answer = {SFT_POLICY_UNKNOWN, NULL, false};
    answer.dotted = memchr(pair->name, '.', pair->name_length) != NULL;
    answer.entry = answer.dotted ? NULL : listed(pair);
    if (answer.entry == NULL) {
        answer.entry = dangerous(pair);
    }
    if (answer.entry != NULL) {
        answer.class = answer.entry->class;
    } else if (!answer.dotted && vouched(policy, pair)) {
        answer.class = SFT_POLICY_INERT;
    }
    return answer;
}

static int badness(sft_policy_class class) {
    switch (class) {
    case SFT_POLICY_ALLOWED:
        return 0;
    case SFT_POLICY_INERT:
        return 1;
    case SFT_POLICY_UNKNOWN:
        return 2;
    case SFT_POLICY_DANGEROUS:
        break;
    }
    return 3;
}

sft_policy_answer sft_policy_ask(const sft_policy *policy, const sft_pair *pair) {
    sft_policy_answer answer = ask(policy, pair);
    sft_pair mapped;
    if (sft_python2_name(pair, &mapped)) {
        sft_policy_answer other = ask(policy, &mapped);
        other.dotted = other.dotted || answer.dotted;
        if (badness(other.class) > badness(answer.class)) {
            return other;
        }
    }
    return answer;
}

sft_policy_answer sft_policy_of(const sft_policy *policy, const sft_graph *graph, sft_ref ref) {
    sft_pair pair;
    if (ref == SFT_NO_REF || !sft_graph_pair(graph, ref, &pair)) {
        return (sft_policy_answer){SFT_POLICY_UNKNOWN, NULL, false};
    }
    return sft_policy_ask(policy, &pair);
}

sft_role sft_policy_role(const sft_graph *graph, sft_ref callee, const sft_policy_entry **entry) {
    sft_policy_answer answer = sft_policy_of(NULL, graph, callee);
    bool known = answer.class == SFT_POLICY_ALLOWED || answer.class == SFT_POLICY_INERT;
    if (entry != NULL) {
        *entry = known ? answer.entry : NULL;
    }
    return known && answer.entry != NULL ? answer.entry->role : SFT_ROLE_NONE;
}
