/* SPDX-License-Identifier: MIT */
/* suggest.c - "did you mean": the nearest of some names. See options.h. */
#include <ctype.h>
#include <string.h>

#include "cli/options.h"

#define NAME_MAX_LEN 31u

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

unsigned edit_distance(const char *a, const char *b)
{
    /* d[i][j]: distance of the first i characters of a from the first j of b (Damerau; optimal
     * string alignment). */
    unsigned char d[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1];
    size_t la = strlen(a), lb = strlen(b);

    if (la > NAME_MAX_LEN || lb > NAME_MAX_LEN)
        return NAME_MAX_LEN;
    for (size_t i = 0; i <= la; i++)
        d[i][0] = (unsigned char)i;
    for (size_t j = 0; j <= lb; j++)
        d[0][j] = (unsigned char)j;
    for (size_t i = 1; i <= la; i++) {
        for (size_t j = 1; j <= lb; j++) {
            bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            unsigned best = min3(d[i - 1][j] + 1u, d[i][j - 1] + 1u, d[i - 1][j - 1] + !same);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = min3(best, d[i - 2][j - 2] + 1u, best);
            d[i][j] = (unsigned char)best;
        }
    }
    return d[la][lb];
}

const char *suggest(const char *wrong, const char *(*name)(unsigned i))
{
    const char *best = NULL;
    unsigned best_distance = (unsigned)strlen(wrong) / 3 + 1;

    if (strlen(wrong) < 2)
        return NULL; /* one letter resembles everything */
    for (unsigned i = 0; name(i); i++) {
        unsigned distance = edit_distance(wrong, name(i));
        /* A name of which nothing remains was not meant. */
        if (distance <= best_distance && distance < strlen(name(i)) &&
            (!best || distance < best_distance)) {
            best = name(i);
            best_distance = distance;
        }
    }
    return best;
}
