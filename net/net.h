// Everything that syncline::net offers: nodes, and all that lies below.
#pragma once

#include "net/node.h"
#include "store/store.h"
