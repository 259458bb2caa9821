<?php
function ( { 
