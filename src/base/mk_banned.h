/*
 * Functions that are never right here fail to compile: unbounded copies, the C library's
 * locale and hidden state, clocks and random numbers that do not come from Clock and Random.
 * The system headers that declare them are read first, so that this header may come anywhere.
 */
#ifndef MK_BANNED_H
#define MK_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MK_BANNED(name) mk_use_of_banned_function_##name

#undef strcpy
#define strcpy(...) MK_BANNED(strcpy)
#undef stpcpy
#define stpcpy(...) MK_BANNED(stpcpy)
#undef strcat
#define strcat(...) MK_BANNED(strcat)
#undef strncpy
#define strncpy(...) MK_BANNED(strncpy)
#undef strncat
#define strncat(...) MK_BANNED(strncat)
#undef sprintf
#define sprintf(...) MK_BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) MK_BANNED(vsprintf)
#undef strtok
#define strtok(...) MK_BANNED(strtok)
#undef atoi
#define atoi(...) MK_BANNED(atoi)
#undef atol
#define atol(...) MK_BANNED(atol)
#undef atof
#define atof(...) MK_BANNED(atof)
#undef rand
#define rand(...) MK_BANNED(rand)
#undef srand
#define srand(...) MK_BANNED(srand)
#undef random
#define random(...) MK_BANNED(random)
#undef gmtime
#define gmtime(...) MK_BANNED(gmtime)
#undef localtime
#define localtime(...) MK_BANNED(localtime)
#undef ctime
#define ctime(...) MK_BANNED(ctime)
#undef asctime
#define asctime(...) MK_BANNED(asctime)
#undef mktime
#define mktime(...) MK_BANNED(mktime)

#endif
