(defun inner (x) (/ 1 x))
(defun outer (x) (1+ (inner x)))
(print (outer 0))
