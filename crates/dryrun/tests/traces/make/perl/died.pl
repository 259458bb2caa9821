use strict;
die;
