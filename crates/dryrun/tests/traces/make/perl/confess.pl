use Carp;
sub inner { Carp::confess("went wrong") }
sub outer { inner(1, "two") }
outer();
