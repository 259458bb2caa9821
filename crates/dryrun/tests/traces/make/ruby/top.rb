raise "at the top"
